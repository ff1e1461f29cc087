#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kernels::cpu {

/// Which of two equal scores wins a place.
enum class TieRule
{
    LowerIndex, // selection.md 1.4, after the second key
    HigherIndex // structural.md 1.5: the more recent entry
};

/// Indices, ascending, of the `count` largest scores. Equal scores are ordered by `second`
/// (descending, may be empty), then by `ties`. NaN counts as -infinity. count >= scores.size()
/// gives all.
std::vector<std::uint32_t> selectTop(std::span<const float> scores, std::span<const float> second,
                                     std::size_t count, TieRule ties);

} // namespace kernels::cpu
