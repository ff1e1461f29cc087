#pragma once

#include <immintrin.h>

namespace kernels::cpu {
namespace {

/// 2^x for x <= 126, within 1e-7 of relative error; exactly 1 at 0 and 0 below -126.
inline __m256 exp2Bounded(__m256 x)
{
    // 2^x = 2^n * 2^r with n whole and |r| <= 1/2. (2^r - 1) / r is interpolated at the six
    // Chebyshev points of that interval.
    const __m256 whole = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 r = _mm256_sub_ps(x, whole);
    __m256 p = _mm256_set1_ps(1.545316295e-4F);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.339086336e-3F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(9.618082557e-3F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.550357114e-2F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(2.402265076e-1F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(6.931471880e-1F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F));
    const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(whole), 23);
    const __m256 scaled = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
    const __m256 inRange = _mm256_cmp_ps(x, _mm256_set1_ps(-126.0F), _CMP_GE_OQ);
    return _mm256_and_ps(scaled, inRange);
}

inline float largestLane(__m256 v)
{
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    m = _mm_max_ss(m, _mm_movehdup_ps(m));
    return _mm_cvtss_f32(m);
}

inline float sumOfLanes(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    s = _mm_add_ss(s, _mm_movehdup_ps(s));
    return _mm_cvtss_f32(s);
}

} // namespace
} // namespace kernels::cpu
