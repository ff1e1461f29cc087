#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/attention_rows.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kv_page_layout.h"
#include "kernels/cpu/score_pass_tile.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/cpu/tile_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

namespace kernels::cpu {
namespace {

/// The operands of attentionWeights() for the one head.
struct WeightCall
{
    std::span<float> weights; // (rows, stride)
    std::span<const float> q;
    KvListView list;
    std::vector<EntryRange> ranges; // (rows)
    std::size_t head = 0;
    std::size_t firstRow = 0;
    AttentionShape shape;

    std::size_t rows() const { return ranges.size(); }
    std::size_t stride() const { return weightStride(list.length); }
    std::span<const float> query(std::size_t row) const
    {
        return q.subspan(((firstRow + row) * shape.heads + head) * shape.headDim, shape.headDim);
    }
};

void weighRow(const WeightCall& call, std::size_t row)
{
    const std::span<float> weights = call.weights.subspan(row * call.stride(), call.stride());
    std::ranges::fill(weights, 0.0F);
    const EntryRange range = call.ranges[row];
    if (range.begin >= range.end)
        return;
    const auto keys = readKeys(call.list, range, call.shape.headDim);
    const auto each = logits(call.query(row), keys, call.shape.scale);
    double largest = -std::numeric_limits<double>::infinity();
    for (const double logit : each)
        largest = std::max(largest, logit); // the first operand where a number is missing
    double sum = 0.0;
    for (const double logit : each) {
        const double weight = std::exp(logit - largest);
        sum += std::isnan(weight) ? 0.0 : weight;
    }
    for (std::size_t i = 0; i < each.size(); ++i)
        weights[range.begin + i] =
            static_cast<float>(std::exp(each[i] - largest) / (sum > 0.0 ? sum : 1.0));
}

#if defined(EPITOME_AVX2_KERNELS)
/// Logits page by page, then the softmax row by row.
void weighTiled(const WeightCall& call, ThreadPool& pool)
{
    const std::size_t headDim = call.shape.headDim;
    const std::size_t pages = call.stride() / kPageRows;
    std::vector<const float*> queries;
    for (std::size_t row = 0; row < call.rows(); ++row)
        queries.push_back(call.query(row).data());
    const auto packed = std::make_unique_for_overwrite<float[]>(call.rows() * headDim);
    packQueriesAvx2(packed.get(), queries.data(), call.rows(), headDim, call.shape.scale * kLog2E);
    const QueryTile tile{.packed = packed.get(),
                         .ranges = call.ranges.data(),
                         .rows = call.rows(),
                         .headDim = headDim};
    pool.parallelFor(pages, 8, [&](std::size_t begin, std::size_t end, std::size_t) {
        const auto memory = std::make_unique_for_overwrite<float[]>(expandedKeyFloats(headDim));
        for (std::size_t page = begin; page < end; ++page)
            bestTileKernels().writeLogits(
                call.weights.data() + page * kPageRows, call.stride(), tile,
                expandKeysAvx2(memory.get(), call.list.pages[page], page * kPageRows, headDim));
    });
    pool.parallelFor(call.rows(), 1, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t row = begin; row < end; ++row)
            softmaxRowAvx2(call.weights.data() + row * call.stride(), call.stride());
    });
}
#endif

} // namespace

void attentionWeights(std::span<float> weights, std::span<const float> q,
                      std::span<const KvListView> lists, std::span<const EntryRange> visible,
                      std::size_t head, std::size_t firstRow, const AttentionShape& shape,
                      ThreadPool& pool)
{
    checkShape(shape);
    checkLists(lists, visible, shape);
    if (q.size() != shape.rows * shape.heads * shape.headDim || head >= shape.heads ||
        firstRow > shape.rows)
        throw std::invalid_argument("the operands do not match the attention shape");
    const std::size_t kvHead = head / (shape.heads / shape.kvHeads);
    WeightCall call{.weights = weights,
                    .q = q,
                    .list = lists[kvHead],
                    .ranges = {},
                    .head = head,
                    .firstRow = firstRow,
                    .shape = shape};
    for (std::size_t row = firstRow; row < shape.rows; ++row)
        call.ranges.push_back(visible[row * shape.kvHeads + kvHead]);
    if (weights.size() != call.rows() * call.stride())
        throw std::invalid_argument("the weights do not match the rows and the list");
#if defined(EPITOME_AVX2_KERNELS)
    if (bestKernelLevel() >= KernelLevel::Avx2) {
        weighTiled(call, pool);
        return;
    }
#endif
    pool.parallelFor(call.rows(), 1, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t row = begin; row < end; ++row)
            weighRow(call, row);
    });
}

} // namespace kernels::cpu
