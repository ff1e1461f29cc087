#include "kernels/cpu/measure_limits_kernels.h"

#include <immintrin.h>

namespace kernels::cpu {
namespace {

constexpr std::size_t kSums = 12; // enough to hide the latency of a fused multiply-add
constexpr std::size_t kLanes = 8;

std::uint64_t readAll(const std::byte* from, std::size_t bytes)
{
    constexpr std::size_t kRegister = 32;
    __m256i sums[8];
#pragma GCC unroll 16
    for (__m256i& sum : sums)
        sum = _mm256_setzero_si256();
    for (std::size_t i = 0; i < bytes; i += 8 * kRegister) {
#pragma GCC unroll 8
        for (std::size_t j = 0; j < 8; ++j) {
            const auto* source = reinterpret_cast<const __m256i*>(from + i + j * kRegister);
            sums[j] = _mm256_xor_si256(sums[j], _mm256_loadu_si256(source));
        }
    }
#pragma GCC unroll 8
    for (std::size_t j = 1; j < 8; ++j)
        sums[0] = _mm256_xor_si256(sums[0], sums[j]);
    return static_cast<std::uint64_t>(_mm256_extract_epi64(sums[0], 0));
}

/// Hides from the optimiser that a value never changes, so that it cannot take it out of a loop.
template <typename T>
void pretendToChange(T& value)
{
    asm volatile("" : "+x"(value));
}

float multiplyFloats(std::size_t rounds)
{
    __m256 sums[kSums];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kSums; ++i) // equal sums would be computed once
        sums[i] = _mm256_set1_ps(static_cast<float>(i));
    __m256 a = _mm256_set1_ps(0.5F);
    const __m256 b = _mm256_set1_ps(1.0F);
    for (std::size_t round = 0; round < rounds; ++round) {
        pretendToChange(a);
#pragma GCC unroll 12
        for (std::size_t i = 0; i < kSums; ++i)
            sums[i] = _mm256_fmadd_ps(sums[i], a, b);
    }
#pragma GCC unroll 16
    for (std::size_t i = 1; i < kSums; ++i)
        sums[0] = _mm256_add_ps(sums[0], sums[i]);
    return _mm256_cvtss_f32(sums[0]);
}

std::int32_t multiplyInt8(std::size_t rounds)
{
    __m256i sums[kSums];
#pragma GCC unroll 16
    for (__m256i& sum : sums)
        sum = _mm256_setzero_si256();
    __m256i a = _mm256_set1_epi8(3);
    const __m256i b = _mm256_set1_epi8(-5);
    const __m256i ones = _mm256_set1_epi16(1);
    for (std::size_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
        for (std::size_t i = 0; i < kSums; ++i) {
            pretendToChange(a);
            const __m256i pairs = _mm256_maddubs_epi16(a, b);
            sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, ones));
        }
    }
#pragma GCC unroll 16
    for (std::size_t i = 1; i < kSums; ++i)
        sums[0] = _mm256_add_epi32(sums[0], sums[i]);
    return _mm256_extract_epi32(sums[0], 0);
}

} // namespace

LimitKernels avx2LimitKernels()
{
    return {.readAll = readAll,
            .multiplyFloats = multiplyFloats,
            .multiplyInt8 = multiplyInt8,
            .flopsPerRound = 2.0 * kSums * kLanes,
            .int8OpsPerRound = 2.0 * kSums * 4 * kLanes};
}

} // namespace kernels::cpu
