#include "kernels/sparse_attention.h"

#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/attention_rows.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace kernels::cpu {
namespace {

void checkPatterns(std::span<const SparsePattern> patterns, std::span<const KvListView> lists,
                   const AttentionShape& shape)
{
    if (patterns.size() != shape.heads)
        throw std::invalid_argument("a sparse attention needs one pattern for each query head");
    const std::size_t tiles = (shape.rows + kPatternRows - 1) / kPatternRows;
    for (std::size_t head = 0; head < patterns.size(); ++head) {
        const SparsePattern& pattern = patterns[head];
        const KvListView& list = lists[head / (shape.heads / shape.kvHeads)];
        bool fits = pattern.pages.size() == tiles &&
                    (pattern.columns.empty() || pattern.columns.back() < list.length) &&
                    std::ranges::is_sorted(pattern.columns, std::ranges::less_equal());
        for (const auto& pages : pattern.pages)
            fits = fits && std::ranges::is_sorted(pages, std::ranges::less_equal()) &&
                   (pages.empty() || pages.back() * kPageRows < list.length);
        if (!fits)
            throw std::invalid_argument("a sparse pattern does not match its rows and its list");
    }
}

/// The entries that a row reads, ascending.
std::vector<std::uint32_t> entriesOf(const SparsePattern& pattern, std::size_t row,
                                     const EntryRange& visible)
{
    std::vector<std::uint32_t> entries;
    const auto add = [&](std::uint32_t entry) {
        if (entry >= visible.begin && entry < visible.end)
            entries.push_back(entry);
    };
    for (const std::uint32_t page : pattern.pages[row / kPatternRows])
        for (std::uint32_t i = 0; i < kPageRows; ++i)
            add(page * static_cast<std::uint32_t>(kPageRows) + i);
    for (const std::uint32_t column : pattern.columns)
        add(column);
    std::ranges::sort(entries);
    entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
    return entries;
}

void attendRow(const AttentionCall& call, const SparsePattern& pattern, std::size_t row,
               std::size_t head)
{
    const AttentionShape& shape = call.shape;
    const std::size_t kvHead = head / (shape.heads / shape.kvHeads);
    const auto entries = entriesOf(pattern, row, call.visible[row * shape.kvHeads + kvHead]);
    std::vector<float> keys;
    std::vector<float> values;
    for (const std::uint32_t entry : entries) {
        const EntryRange one{entry, entry + 1};
        for (const float each : readKeys(call.lists[kvHead], one, shape.headDim))
            keys.push_back(each);
        for (const float each : readValues(call.lists[kvHead], one, shape.headDim))
            values.push_back(each);
    }
    const std::size_t vector = row * shape.heads + head;
    std::vector<double> weights =
        logits(call.q.subspan(vector * shape.headDim, shape.headDim), keys, shape.scale);
    const double total = logSumExp(weights);
    for (std::size_t channel = 0; channel < shape.headDim; ++channel) {
        double sum = 0.0;
        for (std::size_t i = 0; i < weights.size(); ++i)
            sum += std::exp(weights[i] - total) *
                   static_cast<double>(values[i * shape.headDim + channel]);
        call.out[vector * shape.headDim + channel] = static_cast<float>(sum);
    }
    if (!call.lse.empty())
        call.lse[vector] = static_cast<float>(total);
}

} // namespace

void sparseAttentionReference(const AttentionCall& call, std::span<const SparsePattern> patterns,
                              ThreadPool& pool)
{
    const std::size_t heads = call.shape.heads;
    pool.parallelFor(call.shape.rows * heads, 1,
                     [&](std::size_t begin, std::size_t end, std::size_t) {
                         for (std::size_t i = begin; i < end; ++i)
                             attendRow(call, patterns[i % heads], i / heads, i % heads);
                     });
}

void sparseAttention(std::span<float> out, std::span<float> lse, std::span<const float> q,
                     std::span<const KvListView> lists, std::span<const EntryRange> visible,
                     std::span<const SparsePattern> patterns, const AttentionShape& shape,
                     ThreadPool& pool)
{
    checkShape(shape);
    checkLists(lists, visible, shape);
    checkPatterns(patterns, lists, shape);
    const std::size_t vectors = shape.rows * shape.heads;
    if (q.size() != vectors * shape.headDim || out.size() != q.size() ||
        (!lse.empty() && lse.size() != vectors))
        throw std::invalid_argument("the operands do not match the attention shape");
    const AttentionCall call{
        .out = out, .lse = lse, .q = q, .lists = lists, .visible = visible, .shape = shape};
#if defined(EPITOME_AVX2_KERNELS)
    if (bestKernelLevel() >= KernelLevel::Avx2) {
        sparseAttentionTiled(call, patterns, pool);
        return;
    }
#endif
    sparseAttentionReference(call, patterns, pool);
}

} // namespace kernels::cpu
