#pragma once

#include <cstdint>

namespace engine {

/// A hash that spreads its input over all bits (the mixing function of SplitMix64, Steele et al.
/// 2014): random numbers that depend on a seed and a place and on nothing else.
constexpr std::uint64_t mixedBits(std::uint64_t value)
{
    value += 0x9E3779B97F4A7C15ULL;
    value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
    return value ^ (value >> 31U);
}

} // namespace engine
