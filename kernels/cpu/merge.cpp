#include "kernels/attention.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>

namespace kernels::cpu {

void mergeAttention(std::span<float> out, std::span<float> lse, std::span<const float> otherOut,
                    std::span<const float> otherLse, std::size_t headDim)
{
    if (out.size() != lse.size() * headDim || otherOut.size() != out.size() ||
        otherLse.size() != lse.size())
        throw std::invalid_argument("the two attention results differ in shape");
    constexpr float kNothing = -std::numeric_limits<float>::infinity();
    for (std::size_t vector = 0; vector < lse.size(); ++vector) {
        const float largest = std::fmax(lse[vector], otherLse[vector]);
        // Two empty sets stay empty: the difference of two infinities is not a number.
        if (largest == kNothing)
            continue;
        const float mine = std::exp(lse[vector] - largest);
        const float other = std::exp(otherLse[vector] - largest);
        const float sum = mine + other;
        for (std::size_t i = vector * headDim; i < (vector + 1) * headDim; ++i)
            out[i] = (mine * out[i] + other * otherOut[i]) / sum;
        lse[vector] = largest + std::log(sum);
    }
}

} // namespace kernels::cpu
