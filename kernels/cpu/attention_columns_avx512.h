// Sixteen columns of a panel in one register, compiled for AVX-512. Each function gives the bits of
// its twin in attention_columns_avx2.h.
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
    __m512 lanes;
};

/// Panels that a block of `Rows` rows takes at once: twelve sums of six rows fill the multiply-add
/// pipeline, and twice as many registers are there.
template <int Rows>
constexpr int kPanelsAtOnce = 2;

inline Columns noColumns()
{
    return {_mm512_setzero_ps()};
}

inline Columns loadColumns(const float* numbers)
{
    return {_mm512_loadu_ps(numbers)};
}

inline void storeColumns(float* out, const Columns& columns)
{
    _mm512_storeu_ps(out, columns.lanes);
}

inline Columns loadHalfColumns(const std::byte* numbers)
{
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers)))};
}

/// Sixteen signed 8-bit codes.
inline Columns loadCodes(const std::byte* codes)
{
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
}

/// Sixteen codes of `Bits` bits minus half of the last code. The lookups use the lowest bits only.
template <unsigned Bits>
inline __m512 centredCodes(const std::byte* words)
{
    if constexpr (Bits == 2) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, words, sizeof(bits));
        const __m512i shifts =
            _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        const __m512i shifted =
            _mm512_srlv_epi32(_mm512_set1_epi32(static_cast<int>(bits)), shifts);
        return _mm512_permutevar_ps(_mm512_setr4_ps(-1.5F, -0.5F, 0.5F, 1.5F), shifted);
    }
    const __m512i both =
        _mm512_castsi128_si512(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(words)));
    const __m512i wordOfColumn = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const __m512i shifts =
        _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
    const __m512i shifted = _mm512_srlv_epi32(_mm512_permutexvar_epi32(wordOfColumn, both), shifts);
    const __m512 centres = _mm512_setr_ps(-7.5F, -6.5F, -5.5F, -4.5F, -3.5F, -2.5F, -1.5F, -0.5F,
                                          0.5F, 1.5F, 2.5F, 3.5F, 4.5F, 5.5F, 6.5F, 7.5F);
    return _mm512_permutexvar_ps(shifted, centres);
}

/// Sixteen codes of `Bits` bits, each as *step * (code - half of the last code) + *centre.
template <unsigned Bits>
inline Columns loadKiviColumns(const std::byte* words, const float* step, const float* centre)
{
    return {
        _mm512_fmadd_ps(centredCodes<Bits>(words), _mm512_set1_ps(*step), _mm512_set1_ps(*centre))};
}

inline Columns multiply(const float* factor, const Columns& columns)
{
    return {_mm512_mul_ps(_mm512_set1_ps(*factor), columns.lanes)};
}

/// sums + *factor * columns, each rounded once.
inline Columns multiplyAdd(const float* factor, const Columns& columns, const Columns& sums)
{
    return {_mm512_fmadd_ps(_mm512_set1_ps(*factor), columns.lanes, sums.lanes)};
}

} // namespace
} // namespace kernels::cpu
