// Sixteen columns of a panel in two registers, compiled for AVX2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>

namespace kernels::cpu {
namespace {

/// 16 columns of one depth.
struct Columns
{
    __m256 low;
    __m256 high;
};

/// Panels that a block of `Rows` rows takes at once: few rows alone do not fill the multiply-add
/// pipeline.
template <int Rows>
constexpr int kPanelsAtOnce = Rows <= 3 ? 2 : 1;

inline Columns noColumns()
{
    return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}

inline Columns loadColumns(const float* numbers)
{
    return {_mm256_loadu_ps(numbers), _mm256_loadu_ps(numbers + 8)};
}

inline void storeColumns(float* out, const Columns& columns)
{
    _mm256_storeu_ps(out, columns.low);
    _mm256_storeu_ps(out + 8, columns.high);
}

inline Columns loadHalfColumns(const std::byte* numbers)
{
    const auto* p = reinterpret_cast<const __m128i*>(numbers);
    return {_mm256_cvtph_ps(_mm_loadu_si128(p)), _mm256_cvtph_ps(_mm_loadu_si128(p + 1))};
}

inline __m256 widenCodes(const std::byte* codes)
{
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

/// Sixteen signed 8-bit codes.
inline Columns loadCodes(const std::byte* codes)
{
    return {widenCodes(codes), widenCodes(codes + 8)};
}

inline __m256i repeatWord(const std::byte* p)
{
    std::uint32_t bits = 0;
    std::memcpy(&bits, p, sizeof(bits));
    return _mm256_set1_epi32(static_cast<int>(bits));
}

/// The codes of one word minus half of the last code.
template <unsigned Bits>
inline __m256 centredCodes(__m256i word, __m256i shifts)
{
    const __m256i shifted = _mm256_srlv_epi32(word, shifts);
    if constexpr (Bits == 2) {
        // The lookup uses the two lowest bits only.
        const __m256 centres = _mm256_setr_ps(-1.5F, -0.5F, 0.5F, 1.5F, -1.5F, -0.5F, 0.5F, 1.5F);
        return _mm256_permutevar_ps(centres, shifted);
    }
    const __m256i code = _mm256_and_si256(shifted, _mm256_set1_epi32(15));
    return _mm256_sub_ps(_mm256_cvtepi32_ps(code), _mm256_set1_ps(7.5F));
}

/// Sixteen codes of `Bits` bits, each as *step * (code - half of the last code) + *centre.
template <unsigned Bits>
inline Columns loadKiviColumns(const std::byte* words, const float* step, const float* centre)
{
    const __m256i lowShift = Bits == 4 ? _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28)
                                       : _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
    const __m256i highShift =
        Bits == 4 ? lowShift : _mm256_setr_epi32(16, 18, 20, 22, 24, 26, 28, 30);
    const __m256 factor = _mm256_broadcast_ss(step);
    const __m256 middle = _mm256_broadcast_ss(centre);
    const std::byte* high = Bits == 4 ? words + 4 : words;
    return {_mm256_fmadd_ps(centredCodes<Bits>(repeatWord(words), lowShift), factor, middle),
            _mm256_fmadd_ps(centredCodes<Bits>(repeatWord(high), highShift), factor, middle)};
}

inline Columns multiply(const float* factor, const Columns& columns)
{
    const __m256 each = _mm256_broadcast_ss(factor);
    return {_mm256_mul_ps(each, columns.low), _mm256_mul_ps(each, columns.high)};
}

/// sums + *factor * columns, each rounded once.
inline Columns multiplyAdd(const float* factor, const Columns& columns, const Columns& sums)
{
    const __m256 each = _mm256_broadcast_ss(factor);
    return {_mm256_fmadd_ps(each, columns.low, sums.low),
            _mm256_fmadd_ps(each, columns.high, sums.high)};
}

} // namespace
} // namespace kernels::cpu
