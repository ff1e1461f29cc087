#include "kernels/cpu/elementwise_kernels.h"

#include <cstring>
#include <immintrin.h>

namespace kernels::cpu {
namespace {

constexpr std::size_t kLanes = 8;

__m256 loadTail(const float* from, std::size_t count)
{
    alignas(32) float lanes[kLanes] = {};
    std::memcpy(lanes, from, count * sizeof(float));
    return _mm256_load_ps(lanes);
}

void storeTail(float* to, __m256 values, std::size_t count)
{
    alignas(32) float lanes[kLanes];
    _mm256_store_ps(lanes, values);
    std::memcpy(to, lanes, count * sizeof(float));
}

/// Four double sums of squares; the squares of floats are exact in double.
__m256d addSquares(__m256d sum, __m128 values)
{
    const __m256d wide = _mm256_cvtps_pd(values);
    return _mm256_fmadd_pd(wide, wide, sum);
}

double sumOfSquares(const float* in, std::size_t cols)
{
    __m256d low = _mm256_setzero_pd();
    __m256d high = _mm256_setzero_pd();
    for (std::size_t i = 0; i < cols; i += kLanes) {
        const std::size_t rest = cols - i;
        const __m256 values = rest < kLanes ? loadTail(in + i, rest) : _mm256_loadu_ps(in + i);
        low = addSquares(low, _mm256_castps256_ps128(values));
        high = addSquares(high, _mm256_extractf128_ps(values, 1));
    }
    const __m256d four = _mm256_add_pd(low, high);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

void normaliseRow(float* out, const float* in, const float* gain, std::size_t cols, float epsilon)
{
    const double mean = sumOfSquares(in, cols) / static_cast<double>(cols);
    const double root =
        _mm_cvtsd_f64(_mm_sqrt_pd(_mm_set1_pd(mean + static_cast<double>(epsilon))));
    const __m256 factor = _mm256_set1_ps(static_cast<float>(1.0 / root));
    std::size_t i = 0;
    for (; i + kLanes <= cols; i += kLanes) {
        const __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(in + i), factor);
        _mm256_storeu_ps(out + i, _mm256_mul_ps(scaled, _mm256_loadu_ps(gain + i)));
    }
    if (const std::size_t rest = cols - i; rest != 0) {
        const __m256 scaled = _mm256_mul_ps(loadTail(in + i, rest), factor);
        storeTail(out + i, _mm256_mul_ps(scaled, loadTail(gain + i, rest)), rest);
    }
}

/// exp(x) for x in [-87, 88] (clamped): 2^n * exp(r) with |r| <= ln(2)/2, and exp(r) by its Taylor
/// series up to r^7, whose remainder is below 6e-9.
__m256 exponential(__m256 x)
{
    const __m256 clamped =
        _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-87.0F)), _mm256_set1_ps(88.0F));
    const __m256 n =
        _mm256_round_ps(_mm256_mul_ps(clamped, _mm256_set1_ps(0x1.715476p+0F)), // 1 / ln(2)
                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    // ln(2) in two parts, the first with so few bits that n times it is exact.
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.62e4p-1F), clamped);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.7f7d1cp-20F), r);
    constexpr float kInverseFactorials[] = {1.0F / 720.0F, 1.0F / 120.0F, 1.0F / 24.0F, 1.0F / 6.0F,
                                            0.5F,          1.0F,          1.0F};
    __m256 result = _mm256_set1_ps(1.0F / 5040.0F);
    for (const float coefficient : kInverseFactorials)
        result = _mm256_fmadd_ps(result, r, _mm256_set1_ps(coefficient));
    const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(result), exponent));
}

__m256 siluTimes(__m256 gate, __m256 up)
{
    const __m256 one = _mm256_set1_ps(1.0F);
    const __m256 negated = _mm256_xor_ps(gate, _mm256_set1_ps(-0.0F));
    const __m256 silu = _mm256_div_ps(gate, _mm256_add_ps(one, exponential(negated)));
    return _mm256_mul_ps(silu, up);
}

void siluMul(float* gate, const float* up, std::size_t count)
{
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        _mm256_storeu_ps(gate + i, siluTimes(_mm256_loadu_ps(gate + i), _mm256_loadu_ps(up + i)));
    if (const std::size_t rest = count - i; rest != 0)
        storeTail(gate + i, siluTimes(loadTail(gate + i, rest), loadTail(up + i, rest)), rest);
}

} // namespace

const ElementwiseKernels& avx2ElementwiseKernels()
{
    static constexpr ElementwiseKernels kKernels{.normaliseRow = normaliseRow, .siluMul = siluMul};
    return kKernels;
}

} // namespace kernels::cpu
