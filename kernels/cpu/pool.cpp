#include "kernels/pool.h"

#include <algorithm>
#include <stdexcept>

namespace kernels::cpu {
namespace {

/// The part of the range that a window around `centre` covers.
std::span<const float> window(std::span<const float> scores, std::size_t centre, std::size_t width)
{
    const std::size_t half = width / 2;
    const std::size_t begin = centre > half ? centre - half : 0;
    const std::size_t end = std::min(scores.size(), centre + half + 1);
    return scores.subspan(begin, end - begin);
}

void check(std::span<float> out, std::span<const float> scores, std::size_t width)
{
    if (out.size() != scores.size() || width % 2 == 0)
        throw std::invalid_argument("pooling needs an odd width and as many results as scores");
}

} // namespace

void avgPool(std::span<float> out, std::span<const float> scores, std::size_t width, PoolEdge edge)
{
    check(out, scores, width);
    for (std::size_t j = 0; j < out.size(); ++j) {
        const std::span<const float> part = window(scores, j, width);
        // Each window is summed anew: a running sum would carry its rounding along the document.
        double sum = 0.0;
        for (const float score : part)
            sum += static_cast<double>(score);
        const std::size_t divisor = edge == PoolEdge::Zeros ? width : part.size();
        out[j] = static_cast<float>(sum / static_cast<double>(divisor));
    }
}

void maxPool(std::span<float> out, std::span<const float> scores, std::size_t width)
{
    check(out, scores, width);
    for (std::size_t j = 0; j < out.size(); ++j)
        out[j] = std::ranges::max(window(scores, j, width));
}

} // namespace kernels::cpu
