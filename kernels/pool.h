#pragma once

#include <cstddef>
#include <span>

namespace kernels::cpu {

/// What stands beyond the ends of the pooled range.
enum class PoolEdge
{
    Zeros, // the window is always divided by its full width (selection.md 1.5, "avg")
    Valid  // the window is divided by the scores it holds ("avg_valid")
};

/// out[j] = mean of the scores at most width / 2 places from j; `width` is odd. `out` must not be
/// `scores`.
void avgPool(std::span<float> out, std::span<const float> scores, std::size_t width, PoolEdge edge);

/// out[j] = largest of the scores at most width / 2 places from j; `width` is odd. `out` must not
/// be `scores`.
void maxPool(std::span<float> out, std::span<const float> scores, std::size_t width);

} // namespace kernels::cpu
