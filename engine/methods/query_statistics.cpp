#include "engine/methods/query_statistics.h"

#include "engine/methods/score_math.h"
#include "kernels/moments.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

using Matrix = std::vector<double>;

/// a * b, quick where most of `a` is zero. Each sum runs over k in ascending order.
Matrix multiply(std::span<const double> a, std::span<const double> b, std::size_t dim)
{
    Matrix out(dim * dim);
    for (std::size_t i = 0; i < dim; ++i) {
        for (std::size_t k = 0; k < dim; ++k) {
            const double factor = a[i * dim + k];
            if (factor == 0)
                continue;
            for (std::size_t j = 0; j < dim; ++j)
                out[i * dim + j] += factor * b[k * dim + j];
        }
    }
    return out;
}

Matrix transposed(std::span<const double> matrix, std::size_t dim)
{
    Matrix out(dim * dim);
    for (std::size_t i = 0; i < dim; ++i) {
        for (std::size_t j = 0; j < dim; ++j)
            out[j * dim + i] = matrix[i * dim + j];
    }
    return out;
}

/// For each place of a head the one that RoPE turns it with, or itself where it is not turned.
std::vector<std::size_t> partnersOf(std::size_t headDim, const Rotation& rotate)
{
    std::vector<float> turned(headDim * headDim); // unit vectors
    for (std::size_t c = 0; c < headDim; ++c)
        turned[c * headDim + c] = 1.0F;
    rotate(turned, std::vector<std::int32_t>(headDim, 1));
    std::vector<std::size_t> partners(headDim);
    for (std::size_t c = 0; c < headDim; ++c) {
        partners[c] = c;
        for (std::size_t row = 0; row < headDim; ++row) {
            if (row != c && turned[c * headDim + row] != 0.0F)
                partners[c] = row;
        }
    }
    return partners;
}

constexpr std::size_t kKeysAtOnce = 256; // of a piece

/// A query whose form, k^T matrix k + linear^T k, is the expected logit. Without a covariance the
/// matrix is empty.
struct ScaledQuery
{
    std::vector<float> matrix;
    std::vector<float> linear;

    ScaledQuery(const ExpectedQuery& query, float scale)
        : matrix(query.covariance)
        , linear(query.mean)
    {
        for (float& each : linear)
            each *= scale;
        for (float& each : matrix)
            each *= scale * scale / 2;
    }
};

/// The softmax of the logits is added to the scores, divided by the number of query heads.
void addSoftmax(std::vector<float>& scores, std::vector<float>& logits, std::size_t heads,
                const ParallelFor& parallelFor)
{
    const float largest = *std::ranges::max_element(logits);
    parallelFor(logits.size(), kKeysAtOnce, [&](std::size_t begin, std::size_t end) {
        for (std::size_t j = begin; j < end; ++j)
            logits[j] = std::exp(logits[j] - largest);
    });
    double sum = 0;
    for (const float each : logits)
        sum += static_cast<double>(each);
    for (std::size_t j = 0; j < logits.size(); ++j)
        scores[j] +=
            static_cast<float>(static_cast<double>(logits[j]) / sum) / static_cast<float>(heads);
}

} // namespace

QueryStatistics::QueryStatistics(std::size_t headDim, bool withCovariance)
    : m_dim(headDim)
    , m_state(1 + headDim + (withCovariance ? headDim * (headDim + 1) / 2 : 0))
{}

void QueryStatistics::add(std::span<const float> query)
{
    add(query, 1, m_dim);
}

void QueryStatistics::add(std::span<const float> queries, std::size_t count, std::size_t stride)
{
    m_state[0] += static_cast<double>(count);
    const std::span<double> sums = std::span(m_state).subspan(1);
    kernels::cpu::addMoments(sums.first(m_dim), sums.subspan(m_dim),
                             {queries, count, stride, m_dim});
}

std::vector<double> QueryStatistics::mean() const
{
    std::vector<double> mean(m_state.begin() + 1,
                             m_state.begin() + 1 + static_cast<std::ptrdiff_t>(m_dim));
    for (double& each : mean)
        each /= std::max(1.0, m_state[0]);
    return mean;
}

std::vector<double> QueryStatistics::covariance() const
{
    if (m_state.size() == 1 + m_dim)
        return {};
    const std::vector<double> center = mean();
    Matrix matrix(m_dim * m_dim);
    const double* products = &m_state[1 + m_dim];
    for (std::size_t row = 0; row < m_dim; products += ++row) {
        for (std::size_t c = 0; c <= row; ++c) {
            const double value = products[c] / std::max(1.0, m_state[0]) - center[row] * center[c];
            matrix[row * m_dim + c] = value;
            matrix[c * m_dim + row] = value;
        }
    }
    return matrix;
}

bool QueryStatistics::restore(std::span<const double> state)
{
    if (state.size() != m_state.size())
        return false;
    std::ranges::copy(state, m_state.begin());
    return true;
}

std::vector<double> meanRotation(std::size_t headDim, std::int32_t first, std::uint32_t count,
                                 const Rotation& rotate)
{
    const std::vector<std::size_t> partners = partnersOf(headDim, rotate);
    // Two vectors in place of all unit vectors: no place of the first is the partner of another.
    std::vector<float> turned(2 * headDim * count);
    std::vector<std::int32_t> positions;
    const auto vectorOf = [&](std::size_t place) { return place > partners[place] ? 1U : 0U; };
    for (std::uint32_t step = 0; step < count; ++step) {
        positions.insert(positions.end(), 2, first + static_cast<std::int32_t>(step));
        for (std::size_t c = 0; c < headDim; ++c)
            turned[(2 * step + vectorOf(c)) * headDim + c] = 1.0F;
    }
    rotate(turned, positions);
    Matrix matrix(headDim * headDim);
    for (std::uint32_t step = 0; step < count; ++step) {
        for (std::size_t c = 0; c < headDim; ++c) {
            const float* column = &turned[(2 * step + vectorOf(c)) * headDim];
            matrix[c * headDim + c] += static_cast<double>(column[c]) / count;
            if (const std::size_t row = partners[c]; row != c)
                matrix[row * headDim + c] += static_cast<double>(column[row]) / count;
        }
    }
    return matrix;
}

ExpectedQuery expectedQuery(const QueryStatistics& statistics, std::span<const double> rotation,
                            double magnitude)
{
    const std::vector<double> mean = statistics.mean();
    const std::size_t dim = mean.size();
    ExpectedQuery query;
    for (std::size_t row = 0; row < dim; ++row) {
        const auto turned = rotation.subspan(row * dim, dim);
        query.mean.push_back(static_cast<float>(
            magnitude * std::inner_product(turned.begin(), turned.end(), mean.begin(), 0.0)));
    }
    const std::vector<double> covariance = statistics.covariance();
    if (covariance.empty())
        return query;
    // R C R^T = R (R C)^T, as C is symmetric: what is sparse stands in front.
    for (const double value :
         multiply(rotation, transposed(multiply(rotation, covariance, dim), dim), dim))
        query.covariance.push_back(static_cast<float>(magnitude * magnitude * value));
    return query;
}

std::vector<float> expectedAttentionScores(std::span<const ExpectedQuery> group,
                                           std::span<const float> keys,
                                           std::span<const float> values, float scale,
                                           const ParallelFor& parallelFor)
{
    const std::size_t dim = group.front().mean.size();
    const std::size_t count = keys.size() / dim;
    std::vector<float> scores(count);
    std::vector<float> logits(count);
    for (const ExpectedQuery& query : group) {
        const ScaledQuery scaled(query, scale);
        parallelFor(count, kKeysAtOnce, [&](std::size_t begin, std::size_t end) {
            kernels::cpu::quadraticForms(std::span(logits).subspan(begin, end - begin),
                                         keys.subspan(begin * dim, (end - begin) * dim),
                                         {scaled.matrix, scaled.linear});
        });
        addSoftmax(scores, logits, group.size(), parallelFor);
    }
    parallelFor(count, kKeysAtOnce, [&](std::size_t begin, std::size_t end) {
        for (std::size_t j = begin; j < end; ++j)
            scores[j] *= static_cast<float>(lengthOf(values.subspan(j * dim, dim)));
    });
    return scores;
}

} // namespace engine
