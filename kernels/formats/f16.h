#pragma once

#include <bit>
#include <cstdint>

namespace kernels {

/// IEEE 754 binary16 to binary32; exact for every value, subnormals and infinities included.
constexpr float decodeF16(std::uint16_t half)
{
    const std::uint32_t sign = (half & 0x8000U) << 16U;
    const std::uint32_t exponent = (half >> 10U) & 0x1FU;
    const std::uint32_t fraction = half & 0x3FFU;
    if (exponent == 0x1FU)
        return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13U));
    if (exponent != 0)
        return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (fraction << 13U));
    // Zero or subnormal: fraction * 2^-24, which a float holds exactly.
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

/// binary32 to binary16, to nearest, ties to even. What is too large becomes infinity; NaN stays
/// NaN.
constexpr std::uint16_t encodeF16(float value)
{
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16U) & 0x8000U;
    const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
    if (magnitude > 0x7F800000U)
        return static_cast<std::uint16_t>(sign | 0x7E00U);
    if (magnitude >= 0x47800000U) // 65536 and above
        return static_cast<std::uint16_t>(sign | 0x7C00U);
    std::uint32_t shift = 13U;
    std::uint32_t significand = magnitude - 0x38000000U; // exponent bias 127 to 15
    if (magnitude < 0x38800000U) {                       // below 2^-14: a subnormal half
        if (magnitude < 0x33000000U)                     // below 2^-25: rounds to zero
            return static_cast<std::uint16_t>(sign);
        shift = 126U - (magnitude >> 23U);
        significand = (magnitude & 0x7FFFFFU) | 0x800000U;
    }
    const std::uint32_t remainder = significand & ((1U << shift) - 1U);
    const std::uint32_t tie = 1U << (shift - 1U);
    std::uint32_t result = significand >> shift;
    if (remainder > tie || (remainder == tie && (result & 1U) != 0))
        ++result; // a carry into the exponent is the right result
    return static_cast<std::uint16_t>(sign | result);
}

} // namespace kernels
