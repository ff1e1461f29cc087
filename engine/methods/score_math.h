#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// |v|, summed in double precision.
double lengthOf(std::span<const float> vector);

/// -|k| of every key: the smaller a key's norm, the more attention it tends to draw. keys: (n,
/// headDim).
std::vector<float> keyNormScores(std::span<const float> keys, std::size_t headDim);

/// -cos(k, mean of all k / |k|): keys that point away from the common direction stay. keys: (n,
/// headDim). A zero key, or a zero mean, has the cosine 0.
std::vector<float> keyDifferenceScores(std::span<const float> keys, std::size_t headDim);

/// Attention sums divided by the number of rows that could see the token: sums (heads, tokens),
/// where token 0 is seen by `rowsOfFirst` rows, token 1 by one fewer, and so on. Needs rowsOfFirst
/// >= tokens.
std::vector<float> normalisedByAge(std::span<const float> sums, std::uint32_t tokens,
                                   std::uint32_t rowsOfFirst);

/// (heads, tokens) scores in which every head has the mean over the heads.
std::vector<float> sharedByHeads(std::span<const float> scores, std::uint32_t heads);

} // namespace engine
