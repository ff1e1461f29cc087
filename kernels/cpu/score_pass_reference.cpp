#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/attention_rows.h"
#include "kernels/cpu/score_pass_reduce.h"
#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace kernels::cpu {
namespace {

EntryRange intersection(EntryRange a, EntryRange b)
{
    const std::uint32_t begin = std::max(a.begin, b.begin);
    return {.begin = begin, .end = std::max(begin, std::min(a.end, b.end))};
}

/// Log of what the weights of one row are divided by; -infinity when the row sees nothing.
double normaliser(const ScoreCall& call, std::size_t row, std::size_t kvHead, std::size_t head)
{
    const AttentionShape& shape = call.shape;
    if (call.spec.normaliser == Normaliser::None)
        return 0.0;
    if (call.spec.normaliser == Normaliser::Full)
        return static_cast<double>(call.lse[row * shape.heads + head]);
    const auto query = call.q.subspan((row * shape.heads + head) * shape.headDim, shape.headDim);
    std::vector<double> all;
    for (const EntryRange& part : call.spec.subset) {
        const EntryRange range = intersection(part, call.visible[row * shape.kvHeads + kvHead]);
        const std::vector<double> some =
            logits(query, readKeys(call.lists[kvHead], range, shape.headDim), shape.scale);
        all.insert(all.end(), some.begin(), some.end());
    }
    return logSumExp(all);
}

/// Adds one row of one query head to its scores.
void addRow(std::vector<double>& scores, const ScoreCall& call, std::size_t row, std::size_t kvHead,
            std::size_t head)
{
    const AttentionShape& shape = call.shape;
    double total = normaliser(call, row, kvHead, head);
    if (!call.spec.rowWeights.empty())
        total -= std::log(static_cast<double>(call.spec.rowWeights[row]));
    if (std::isinf(total))
        return;
    const EntryRange range =
        intersection(call.spec.scored, call.visible[row * shape.kvHeads + kvHead]);
    const auto query = call.q.subspan((row * shape.heads + head) * shape.headDim, shape.headDim);
    const std::vector<double> z =
        logits(query, readKeys(call.lists[kvHead], range, shape.headDim), shape.scale);
    for (std::size_t i = 0; i < z.size(); ++i) {
        double& score = scores[range.begin - call.spec.scored.begin + i];
        if (isMaxScore(call.spec))
            score = std::max(score, z[i] - total);
        else
            score += call.spec.normaliser == Normaliser::None ? z[i] : std::exp(z[i] - total);
    }
}

void scoreList(const ScoreCall& call, std::size_t kvHead)
{
    const AttentionShape& shape = call.shape;
    const std::size_t group = shape.heads / shape.kvHeads;
    const std::size_t entries = call.spec.scored.end - call.spec.scored.begin;
    const double nothing = isMaxScore(call.spec) ? -std::numeric_limits<double>::infinity() : 0.0;
    const ScoreRows rows = scoreRows(call.spec, shape);
    std::vector<std::vector<double>> perHead(group, std::vector<double>(entries, nothing));
    for (std::size_t member = 0; member < group; ++member)
        for (std::size_t row = rows.first; row < shape.rows; ++row)
            addRow(perHead[member], call, row, kvHead, kvHead * group + member);
    std::vector<double> members(group);
    for (std::size_t entry = 0; entry < entries; ++entry) {
        for (std::size_t member = 0; member < group; ++member)
            members[member] =
                withColumnWeight(perHead[member][entry], call.spec, kvHead * group + member, entry);
        call.scores[kvHead * entries + entry] =
            static_cast<float>(reduceHeads(members, call.spec, rows.count));
    }
}

} // namespace

void scorePassReference(const ScoreCall& call, ThreadPool& pool)
{
    pool.parallelFor(call.shape.kvHeads, 1,
                     [&](std::size_t begin, std::size_t end, std::size_t /*thread*/) {
                         for (std::size_t kvHead = begin; kvHead < end; ++kvHead)
                             scoreList(call, kvHead);
                     });
}

} // namespace kernels::cpu
