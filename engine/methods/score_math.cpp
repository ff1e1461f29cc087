#include "engine/methods/score_math.h"

#include <cmath>
#include <numeric>

namespace engine {
namespace {

double squaredNorm(std::span<const float> vector)
{
    return std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0);
}

} // namespace

std::vector<float> keyNormScores(std::span<const float> keys, std::size_t headDim)
{
    std::vector<float> scores;
    scores.reserve(keys.size() / headDim);
    for (std::size_t at = 0; at < keys.size(); at += headDim)
        scores.push_back(static_cast<float>(-std::sqrt(squaredNorm(keys.subspan(at, headDim)))));
    return scores;
}

std::vector<float> keyDifferenceScores(std::span<const float> keys, std::size_t headDim)
{
    const std::size_t count = keys.size() / headDim;
    std::vector<double> norms(count);
    std::vector<double> anchor(headDim); // only its direction matters, so it is a sum
    for (std::size_t j = 0; j < count; ++j) {
        const auto key = keys.subspan(j * headDim, headDim);
        norms[j] = std::sqrt(squaredNorm(key));
        for (std::size_t c = 0; c < headDim && norms[j] > 0; ++c)
            anchor[c] += static_cast<double>(key[c]) / norms[j];
    }
    const double anchorNorm =
        std::sqrt(std::inner_product(anchor.begin(), anchor.end(), anchor.begin(), 0.0));
    std::vector<float> scores(count);
    for (std::size_t j = 0; j < count; ++j) {
        const auto key = keys.subspan(j * headDim, headDim);
        const double product = std::inner_product(key.begin(), key.end(), anchor.begin(), 0.0);
        const double norm = norms[j] * anchorNorm;
        scores[j] = norm == 0 ? 0.0F : static_cast<float>(-product / norm); // NaN stays NaN
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
