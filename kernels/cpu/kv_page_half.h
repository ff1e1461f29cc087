#pragma once

#include <bit>
#include <cstdint>

namespace kernels::cpu {

/// The nearest float16 (IEEE 754 binary16), ties to even; values beyond 65504 become infinite.
inline std::uint16_t halfFromFloat(float value)
{
    // No branch, so that loops of it become vectors.
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
    // The last place of 0.5 is the smallest float16 step, so the addition does the rounding.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(shifted) & 0x7FFU;
    const std::uint32_t normal =
        (magnitude + 0xFFFU + ((magnitude >> 13U) & 1U) - 0x38000000U) >> 13U;
    std::uint32_t half = magnitude < 0x38800000U ? subnormal : normal;
    half = magnitude >= 0x477FF000U ? 0x7C00U : half;
    half = magnitude > 0x7F800000U ? 0x7E00U : half;
    return static_cast<std::uint16_t>(half | ((bits >> 16U) & 0x8000U));
}

/// The exact value of a float16.
inline float floatFromHalf(std::uint16_t half)
{
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
    const std::uint32_t magnitude = half & 0x7FFFU;
    // Moving the exponent by a product also normalises the subnormal numbers.
    constexpr float kExponentShift = 0x1p112F;
    const float value = std::bit_cast<float>(magnitude << 13U) * kExponentShift;
    // No branch, so that loops of it become vectors.
    const std::uint32_t infinite = magnitude >= 0x7C00U ? 0x7F800000U : 0U;
    return std::bit_cast<float>(sign | infinite | std::bit_cast<std::uint32_t>(value));
}

} // namespace kernels::cpu
