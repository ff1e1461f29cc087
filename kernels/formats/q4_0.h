#pragma once

#include "kernels/formats/f16.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace kernels {

/// 32 weights of 4 bits with one scale: weight = scale * (nibble - 8). As it lies in a GGUF file:
/// byte j holds element j in its low and element j + 16 in its high nibble.
struct Q4Block
{
    static constexpr std::size_t kElements = 32;
    std::uint16_t scale; // binary16
    std::uint8_t nibbles[kElements / 2];
};
static_assert(sizeof(Q4Block) == 18);

/// Writes the 32 weights of `block` to `out`.
inline void decodeQ4(float* out, const Q4Block& block)
{
    constexpr std::size_t kHalf = Q4Block::kElements / 2;
    const float scale = decodeF16(block.scale);
    for (std::size_t i = 0; i < kHalf; ++i) {
        out[i] = scale * static_cast<float>((block.nibbles[i] & 0xF) - 8);
        out[i + kHalf] = scale * static_cast<float>((block.nibbles[i] >> 4) - 8);
    }
}

/// The block for 32 finite floats: scale = -(the value of largest magnitude) / 8, so that this
/// value takes the one code (0, that is -8) that has no counterpart of the other sign.
inline Q4Block encodeQ4(const float* in)
{
    constexpr std::size_t kHalf = Q4Block::kElements / 2;
    float extreme = 0.0F;
    for (std::size_t i = 0; i < Q4Block::kElements; ++i) {
        if (std::fabs(in[i]) > std::fabs(extreme))
            extreme = in[i];
    }
    const float scale = extreme / -8.0F;
    const float inverse = std::fabs(scale) >= 0x1p-126F ? 1.0F / scale : 0.0F;
    const auto code = [inverse](float value) {
        const float shifted = std::floor(value * inverse + 8.5F);
        return static_cast<unsigned>(std::fmin(std::fmax(shifted, 0.0F), 15.0F));
    };
    Q4Block block{};
    block.scale = encodeF16(scale);
    for (std::size_t i = 0; i < kHalf; ++i)
        block.nibbles[i] = static_cast<std::uint8_t>(code(in[i]) | (code(in[i + kHalf]) << 4U));
    return block;
}

} // namespace kernels
