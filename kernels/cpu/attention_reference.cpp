#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/attention_rows.h"
#include "kernels/cpu/thread_pool.h"

#include <cmath>
#include <vector>

namespace kernels::cpu {
namespace {

/// One query row and one list: every query head that reads it.
void attendRow(const AttentionCall& call, std::size_t row, std::size_t kvHead)
{
    const AttentionShape& shape = call.shape;
    const std::size_t group = shape.heads / shape.kvHeads;
    const EntryRange range = call.visible[row * shape.kvHeads + kvHead];
    const std::vector<float> keys = readKeys(call.lists[kvHead], range, shape.headDim);
    const std::vector<float> values = readValues(call.lists[kvHead], range, shape.headDim);
    for (std::size_t member = 0; member < group; ++member) {
        const std::size_t vector = row * shape.heads + kvHead * group + member;
        const auto query = call.q.subspan(vector * shape.headDim, shape.headDim);
        const auto out = call.out.subspan(vector * shape.headDim, shape.headDim);
        std::vector<double> weights = logits(query, keys, shape.scale);
        const double total = logSumExp(weights);
        std::vector<double> sums(shape.headDim, 0.0);
        for (std::size_t entry = 0; entry < weights.size(); ++entry) {
            const double weight = std::exp(weights[entry] - total);
            for (std::size_t channel = 0; channel < shape.headDim; ++channel)
                sums[channel] +=
                    weight * static_cast<double>(values[entry * shape.headDim + channel]);
        }
        for (std::size_t channel = 0; channel < shape.headDim; ++channel)
            out[channel] = static_cast<float>(sums[channel]);
        if (!call.lse.empty())
            call.lse[vector] = static_cast<float>(total);
    }
}

} // namespace

void attentionReference(const AttentionCall& call, ThreadPool& pool)
{
    const std::size_t kvHeads = call.shape.kvHeads;
    pool.parallelFor(call.shape.rows * kvHeads, 1,
                     [&](std::size_t begin, std::size_t end, std::size_t /*thread*/) {
                         for (std::size_t item = begin; item < end; ++item)
                             attendRow(call, item / kvHeads, item % kvHeads);
                     });
}

} // namespace kernels::cpu
