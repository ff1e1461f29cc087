// Products for a single token or a few: 8-bit and 4-bit weights are read once, straight from their
// rows. The order of the sums is that of matmul_int8_tile.h.
#pragma once

#include "kernels/cpu/matmul_avx2.h"

#include <cstring>
#include <immintrin.h>

namespace kernels::cpu::avx2 {
namespace {

/// Lane i of the result is the sum of the lanes of rows[i].
inline __m256i sumEach(const __m256i (&rows)[kLanes])
{
    const __m256i low =
        _mm256_hadd_epi32(_mm256_hadd_epi32(rows[0], rows[1]), _mm256_hadd_epi32(rows[2], rows[3]));
    const __m256i high =
        _mm256_hadd_epi32(_mm256_hadd_epi32(rows[4], rows[5]), _mm256_hadd_epi32(rows[6], rows[7]));
    return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                            _mm256_permute2x128_si256(low, high, 0x31));
}

/// Asks for the same place in the next eight rows. The address may lie behind the matrix: nothing
/// is read, and it is a number because a pointer must not go there.
inline void prefetch(const std::byte* block, std::size_t bytesAhead)
{
    const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(block) + bytesAhead;
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    _mm_prefetch(reinterpret_cast<const char*>(address), _MM_HINT_T0);
}

/// The products of eight rows and one token. Stream: the bytes of a block (kBytes), its product
/// with 32 activations (multiply(): eight lanes to be summed), and what was added to its weights to
/// make them unsigned (kRaisedBy).
template <typename Stream>
__m256 multiplyRows(const std::byte* const (&rows)[kLanes], const std::int8_t* quants,
                    const float* scales, const std::int32_t* sums, std::size_t blocks)
{
    const std::size_t bytesAhead = kLanes * blocks * Stream::kBytes;
    __m256 result = _mm256_setzero_ps();
    for (std::size_t block = 0; block < blocks; ++block) {
        const std::size_t offset = block * Stream::kBytes;
        const __m256i activations =
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(quants + block * kBlockColumns));
        __m256i products[kLanes];
#pragma GCC unroll 8
        for (std::size_t i = 0; i < kLanes; ++i) {
            products[i] = Stream::multiply(rows[i] + offset, activations);
            prefetch(rows[i] + offset, bytesAhead);
        }
        const __m256i integers =
            _mm256_sub_epi32(sumEach(products), _mm256_set1_epi32(Stream::kRaisedBy * sums[block]));
        const __m256 scale = _mm256_mul_ps(loadScales(rows, offset), _mm256_set1_ps(scales[block]));
        result = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), scale, result);
    }
    return result;
}

template <typename Stream>
void streamRows(const Product& product, const Tile& tile)
{
    const WeightView& weights = product.weights;
    const std::size_t blocks = weights.cols / kBlockColumns;
    for (std::size_t row = tile.firstRow; row < tile.firstRow + tile.rows; row += kLanes) {
        const std::size_t rest = tile.firstRow + tile.rows - row;
        const std::size_t count = rest < kLanes ? rest : kLanes;
        const std::byte* rows[kLanes];
        for (std::size_t i = 0; i < kLanes; ++i) // lanes behind the last row repeat it
            rows[i] = weights.data + (row + (i < count ? i : count - 1)) * blocks * Stream::kBytes;
        for (std::size_t token = tile.firstToken; token < tile.firstToken + tile.tokens; ++token) {
            alignas(32) float result[kLanes];
            _mm256_store_ps(
                result, multiplyRows<Stream>(rows, product.rounded.quants + token * weights.cols,
                                             product.rounded.scales + token * blocks,
                                             product.rounded.sums + token * blocks, blocks));
            std::memcpy(product.out + token * weights.rows + row, result, count * sizeof(float));
        }
    }
}

} // namespace
} // namespace kernels::cpu::avx2
