// Weights of every format as float32, a piece of a row at a time.

#include "kernels/cpu/matmul_avx2.h"

#include <cstring>
#include <immintrin.h>

namespace kernels::cpu::avx2 {
namespace {

/// The last register of a row is filled up with zeros.
template <typename Load>
void convertFloats(float* out, const std::byte* from, std::size_t count)
{
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        _mm256_storeu_ps(out + i, Load::load(from + i * Load::kBytes));
    if (i < count) {
        std::byte last[kLanes * Load::kBytes] = {};
        std::memcpy(last, from + i * Load::kBytes, (count - i) * Load::kBytes);
        _mm256_storeu_ps(out + i, Load::load(last));
    }
}

__m256 loadScale(const std::byte* block)
{
    std::uint16_t bits;
    std::memcpy(&bits, block, sizeof(bits));
    return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

void storeScaled(float* out, __m128i quants, __m256 scale)
{
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(quants)), scale));
}

void convertQ8(float* out, const std::byte* from, std::size_t count)
{
    constexpr std::size_t kBytes = 34;
    for (std::size_t i = 0; i < count; i += kBlockColumns, from += kBytes) {
        const __m256 scale = loadScale(from);
        for (std::size_t part = 0; part < kBlockColumns; part += kLanes)
            storeScaled(out + i + part,
                        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + 2 + part)), scale);
    }
}

void convertQ4(float* out, const std::byte* from, std::size_t count)
{
    constexpr std::size_t kBytes = 18;
    const __m128i mask = _mm_set1_epi8(0x0F);
    const __m128i eight = _mm_set1_epi8(8);
    for (std::size_t i = 0; i < count; i += kBlockColumns, from += kBytes) {
        const __m256 scale = loadScale(from);
        const __m128i nibbles = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 2));
        const __m128i low = _mm_sub_epi8(_mm_and_si128(nibbles, mask), eight);
        const __m128i high = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(nibbles, 4), mask), eight);
        storeScaled(out + i, low, scale);
        storeScaled(out + i + 8, _mm_srli_si128(low, 8), scale);
        storeScaled(out + i + 16, high, scale);
        storeScaled(out + i + 24, _mm_srli_si128(high, 8), scale);
    }
}

} // namespace

void convertRow(float* out, const WeightView& weights, std::size_t row, std::size_t first,
                std::size_t count)
{
    switch (weights.type) {
    case WeightType::F32:
        convertFloats<LoadF32>(out, weights.data + (row * weights.cols + first) * 4, count);
        break;
    case WeightType::F16:
        convertFloats<LoadF16>(out, weights.data + (row * weights.cols + first) * 2, count);
        break;
    case WeightType::BF16:
        convertFloats<LoadBf16>(out, weights.data + (row * weights.cols + first) * 2, count);
        break;
    case WeightType::Q8_0:
        convertQ8(out, weights.data + (row * weights.cols + first) / kBlockColumns * 34, count);
        break;
    case WeightType::Q4_0:
        convertQ4(out, weights.data + (row * weights.cols + first) / kBlockColumns * 18, count);
        break;
    }
}

} // namespace kernels::cpu::avx2
