#pragma once

#include <bit>
#include <cstdint>

namespace kernels {

/// bfloat16 (the upper half of a binary32) to binary32; exact.
constexpr float decodeBf16(std::uint16_t value)
{
    return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16U);
}

/// binary32 to bfloat16, to nearest, ties to even. NaN stays NaN.
constexpr std::uint16_t encodeBf16(float value)
{
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U)
        return static_cast<std::uint16_t>((bits >> 16U) | 0x40U);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

} // namespace kernels
