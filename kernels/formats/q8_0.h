#pragma once

#include "kernels/formats/f16.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace kernels {

/// 32 weights of 8 bits with one scale: weight = scale * quant. As it lies in a GGUF file.
struct Q8Block
{
    static constexpr std::size_t kElements = 32;
    std::uint16_t scale; // binary16
    std::int8_t quants[kElements];
};
static_assert(sizeof(Q8Block) == 34);

/// Writes the 32 weights of `block` to `out`.
inline void decodeQ8(float* out, const Q8Block& block)
{
    const float scale = decodeF16(block.scale);
    for (std::size_t i = 0; i < Q8Block::kElements; ++i)
        out[i] = scale * static_cast<float>(block.quants[i]);
}

/// The block nearest to 32 finite floats: scale = largest magnitude / 127, quants rounded to
/// nearest.
inline Q8Block encodeQ8(const float* in)
{
    float largest = 0.0F;
    for (std::size_t i = 0; i < Q8Block::kElements; ++i)
        largest = std::fmax(largest, std::fabs(in[i]));
    const float scale = largest / 127.0F;
    const float inverse = scale >= 0x1p-126F ? 1.0F / scale : 0.0F;
    Q8Block block{};
    block.scale = encodeF16(scale);
    for (std::size_t i = 0; i < Q8Block::kElements; ++i) {
        const float quant = std::fmin(std::fmax(std::round(in[i] * inverse), -127.0F), 127.0F);
        block.quants[i] = static_cast<std::int8_t>(quant);
    }
    return block;
}

} // namespace kernels
