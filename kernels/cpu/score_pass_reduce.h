// What both score passes do with the scores of single query heads.
#pragma once

#include "kernels/attention.h"

#include <span>

namespace kernels::cpu {

/// First row that takes part, and how many do: RowReduction::Last takes the last alone.
struct ScoreRows
{
    std::size_t first = 0;
    std::size_t count = 0;
};
ScoreRows scoreRows(const ScoreSpec& spec, const AttentionShape& shape);

/// True when scores are natural logarithms of weights.
bool isLogScore(const ScoreSpec& spec);

/// Whether an untouched score is -infinity (a maximum of nothing) rather than 0 (a sum of nothing).
bool isMaxScore(const ScoreSpec& spec);

/// The score of one query head at entry `entry` of the scored range, with the entry's factor.
double withColumnWeight(double score, const ScoreSpec& spec, std::size_t head, std::size_t entry);

/// log2 of what a row's weights are divided by, in units of log 2: the sum of 2^(logit - maximum)
/// over its entries, less the row's factor. +infinity takes a row that sees nothing out.
float rowNormaliser(float maximum, float sum);
float withRowWeight(float normaliser, const ScoreSpec& spec, std::size_t row);

/// One score from those of the query heads that share a list, each reduced over its rows (summed,
/// for Mean). Logarithms are averaged and added as the weights they stand for.
double reduceHeads(std::span<const double> perHead, const ScoreSpec& spec, std::size_t rows);

} // namespace kernels::cpu
