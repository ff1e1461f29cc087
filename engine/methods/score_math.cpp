#include "engine/methods/score_math.h"

#include <array>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

/// a . b in double precision. Eight sums side by side do not wait for each other.
template <typename Number>
double product(std::span<const float> a, std::span<const Number> b)
{
    std::array<double, 8> sums{};
    const std::size_t whole = a.size() - a.size() % sums.size();
    for (std::size_t at = 0; at < whole; at += sums.size()) {
        for (std::size_t lane = 0; lane < sums.size(); ++lane)
            sums[lane] += static_cast<double>(a[at + lane]) * static_cast<double>(b[at + lane]);
    }
    double rest = 0;
    for (std::size_t at = whole; at < a.size(); ++at)
        rest += static_cast<double>(a[at]) * static_cast<double>(b[at]);
    return std::accumulate(sums.begin(), sums.end(), rest);
}

} // namespace

double lengthOf(std::span<const float> vector)
{
    return std::sqrt(product(vector, vector));
}

std::vector<float> keyNormScores(std::span<const float> keys, std::size_t headDim)
{
    std::vector<float> scores;
    scores.reserve(keys.size() / headDim);
    for (std::size_t at = 0; at < keys.size(); at += headDim)
        scores.push_back(static_cast<float>(-lengthOf(keys.subspan(at, headDim))));
    return scores;
}

std::vector<float> keyDifferenceScores(std::span<const float> keys, std::size_t headDim)
{
    const std::size_t count = keys.size() / headDim;
    std::vector<double> norms(count);
    std::vector<double> anchor(headDim); // only its direction matters, so it is a sum
    for (std::size_t j = 0; j < count; ++j) {
        const auto key = keys.subspan(j * headDim, headDim);
        norms[j] = lengthOf(key);
        for (std::size_t c = 0; c < headDim && norms[j] > 0; ++c)
            anchor[c] += static_cast<double>(key[c]) / norms[j];
    }
    const double anchorNorm =
        std::sqrt(std::inner_product(anchor.begin(), anchor.end(), anchor.begin(), 0.0));
    std::vector<float> scores(count);
    for (std::size_t j = 0; j < count; ++j) {
        const auto key = keys.subspan(j * headDim, headDim);
        const double norm = norms[j] * anchorNorm;
        const double cosine = product(key, std::span<const double>(anchor)) / norm;
        scores[j] = norm == 0 ? 0.0F : static_cast<float>(-cosine); // NaN stays NaN
    }
    return scores;
}

std::vector<float> normalisedByAge(std::span<const float> sums, std::uint32_t tokens,
                                   std::uint32_t rowsOfFirst)
{
    std::vector<float> scores(sums.begin(), sums.end());
    for (std::size_t i = 0; i < scores.size(); ++i)
        scores[i] /= static_cast<float>(rowsOfFirst - i % tokens);
    return scores;
}

std::vector<float> sharedByHeads(std::span<const float> scores, std::uint32_t heads)
{
    const std::size_t tokens = scores.size() / heads;
    std::vector<float> shared(scores.size());
    for (std::size_t token = 0; token < tokens; ++token) {
        float sum = 0;
        for (std::uint32_t head = 0; head < heads; ++head)
            sum += scores[head * tokens + token];
        for (std::uint32_t head = 0; head < heads; ++head)
            shared[head * tokens + token] = sum / static_cast<float>(heads);
    }
    return shared;
}

} // namespace engine
