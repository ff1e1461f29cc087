#include "kernels/cpu/score_pass_reduce.h"

#include "kernels/cpu/attention_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace kernels::cpu {

ScoreRows scoreRows(const ScoreSpec& spec, const AttentionShape& shape)
{
    std::size_t first = spec.firstRow;
    if (spec.rows == RowReduction::Last && first < shape.rows)
        first = shape.rows - 1;
    return {.first = first, .count = shape.rows - first};
}

bool isLogScore(const ScoreSpec& spec)
{
    return spec.rows == RowReduction::Max && spec.normaliser != Normaliser::None;
}

bool isMaxScore(const ScoreSpec& spec)
{
    return spec.rows == RowReduction::Max;
}

double withColumnWeight(double score, const ScoreSpec& spec, std::size_t head, std::size_t entry)
{
    if (spec.columnWeights.empty())
        return score;
    const std::size_t scored = spec.scored.end - spec.scored.begin;
    const auto weight = static_cast<double>(spec.columnWeights[head * scored + entry]);
    return isLogScore(spec) ? score + std::log(weight) : score * weight;
}

float rowNormaliser(float maximum, float sum)
{
    return sum == 0.0F ? std::numeric_limits<float>::infinity() : maximum + std::log2(sum);
}

float withRowWeight(float normaliser, const ScoreSpec& spec, std::size_t row)
{
    return spec.rowWeights.empty() ? normaliser : normaliser - std::log2(spec.rowWeights[row]);
}

double reduceHeads(std::span<const double> perHead, const ScoreSpec& spec, std::size_t rows)
{
    const double divisor =
        spec.rows == RowReduction::Mean ? static_cast<double>(std::max<std::size_t>(rows, 1)) : 1.0;
    const auto heads = static_cast<double>(perHead.size());
    if (spec.heads == HeadReduction::Max)
        return *std::ranges::max_element(perHead) / divisor;
    if (isLogScore(spec)) {
        const double sum = logSumExp(perHead);
        return spec.heads == HeadReduction::Mean ? sum - std::log(heads) : sum;
    }
    const double sum = std::accumulate(perHead.begin(), perHead.end(), 0.0) / divisor;
    return spec.heads == HeadReduction::Mean ? sum / heads : sum;
}

} // namespace kernels::cpu
