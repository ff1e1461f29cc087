#include "engine/methods/query_statistics.h"

#include "kernels/moments.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

using Matrix = std::vector<double>;

/// a * b, or a * b^T.
Matrix multiply(std::span<const double> a, std::span<const double> b, std::size_t dim,
                bool transposed)
{
    Matrix out(dim * dim);
    for (std::size_t i = 0; i < dim; ++i) {
        for (std::size_t j = 0; j < dim; ++j) {
            double sum = 0;
            for (std::size_t k = 0; k < dim; ++k)
                sum += a[i * dim + k] * (transposed ? b[j * dim + k] : b[k * dim + j]);
            out[i * dim + j] = sum;
        }
    }
    return out;
}

void softmax(std::vector<float>& logits)
{
    const float largest = *std::ranges::max_element(logits);
    double sum = 0;
    for (float& each : logits) {
        each = std::exp(each - largest);
        sum += static_cast<double>(each);
    }
    for (float& each : logits)
        each = static_cast<float>(static_cast<double>(each) / sum);
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
    Matrix matrix(headDim * headDim);
    std::vector<float> turned(headDim * headDim);
    for (std::uint32_t step = 0; step < count; ++step) {
        // Unit vectors, so vector c becomes column c of the rotation.
        std::ranges::fill(turned, 0.0F);
        for (std::size_t c = 0; c < headDim; ++c)
            turned[c * headDim + c] = 1.0F;
        const std::vector<std::int32_t> positions(headDim, first + static_cast<std::int32_t>(step));
        rotate(turned, positions);
        for (std::size_t c = 0; c < headDim; ++c) {
            for (std::size_t row = 0; row < headDim; ++row)
                matrix[row * headDim + c] += static_cast<double>(turned[c * headDim + row]) / count;
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
    for (const double value :
         multiply(multiply(rotation, covariance, dim, false), rotation, dim, true))
        query.covariance.push_back(static_cast<float>(magnitude * magnitude * value));
    return query;
}

std::vector<float> expectedAttentionScores(std::span<const ExpectedQuery> group,
                                           std::span<const float> keys,
                                           std::span<const float> values, float scale)
{
    const std::size_t dim = group.front().mean.size();
    const std::size_t count = keys.size() / dim;
    std::vector<float> scores(count);
    std::vector<float> logits(count);
    std::vector<float> spread(count);
    for (const ExpectedQuery& query : group) {
        if (!query.covariance.empty())
            kernels::cpu::quadraticForms(spread, keys, query.covariance, dim);
        for (std::size_t j = 0; j < count; ++j) {
            const auto key = keys.subspan(j * dim, dim);
            logits[j] =
                scale * std::inner_product(key.begin(), key.end(), query.mean.begin(), 0.0F) +
                scale * scale / 2 * spread[j];
        }
        softmax(logits);
        for (std::size_t j = 0; j < count; ++j)
            scores[j] += logits[j] / static_cast<float>(group.size());
    }
    for (std::size_t j = 0; j < count; ++j) {
        const auto value = values.subspan(j * dim, dim);
        scores[j] *= std::sqrt(std::inner_product(value.begin(), value.end(), value.begin(), 0.0F));
    }
    return scores;
}

} // namespace engine
