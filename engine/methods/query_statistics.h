#pragma once

#include "engine/methods/parallel_for.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace engine {

/// Mean and covariance of the queries of one head, from running sums in double precision. Rows are
/// added one by one, so the result does not depend on how they come in blocks.
class QueryStatistics
{
public:
    QueryStatistics(std::size_t headDim, bool withCovariance);

    /// query: (headDim), before RoPE.
    void add(std::span<const float> query);
    /// `count` queries, each `stride` floats behind the one before.
    void add(std::span<const float> queries, std::size_t count, std::size_t stride);

    std::vector<double> mean() const;
    /// (headDim, headDim), divided by the number of rows; empty without covariance.
    std::vector<double> covariance() const;

    /// Count and sums, for a checkpoint.
    std::span<const double> state() const { return m_state; }
    /// False when the size is not that of state().
    bool restore(std::span<const double> state);

private:
    std::size_t m_dim;
    std::vector<double> m_state; // count, sums, lower triangle of the sums of products
};

/// Turns vectors (count, headDim) by the given positions.
using Rotation =
    std::function<void(std::span<float> vectors, std::span<const std::int32_t> positions)>;

/// (headDim, headDim), row by row: the mean of the rotations R(p) for p in [first, first + count).
std::vector<double> meanRotation(std::size_t headDim, std::int32_t first, std::uint32_t count,
                                 const Rotation& rotate);

/// The queries to come, seen from one head: mean and covariance after the mean rotation, times
/// RoPE's magnitude.
struct ExpectedQuery
{
    std::vector<float> mean;
    std::vector<float> covariance; // (headDim, headDim), or empty
};
ExpectedQuery expectedQuery(const QueryStatistics& statistics, std::span<const double> rotation,
                            double magnitude);

/// Expected Attention (Devoto et al. 2025, arXiv 2510.00636), selection.md 3.13:
///   z_j = scale * mean . k_j + scale^2 / 2 * k_j^T covariance k_j,  p = softmax(z),
///   score_j = (mean of p_j over the query heads of the group) * |v_j|.
/// keys (after RoPE) and values: (n, headDim). The same bits however parallelFor cuts the keys.
std::vector<float> expectedAttentionScores(std::span<const ExpectedQuery> group,
                                           std::span<const float> keys,
                                           std::span<const float> values, float scale,
                                           const ParallelFor& parallelFor = inOnePiece);

} // namespace engine
