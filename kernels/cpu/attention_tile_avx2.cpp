#include "kernels/cpu/attention_block.h"
#include "kernels/cpu/attention_tile.h"

namespace kernels::cpu {
void packQueriesAvx2(float* packed, const float* const* rows, std::size_t count,
                     std::size_t headDim, float factor)
{
    for (std::size_t block = 0; block < blockCount(count); ++block) {
        const std::size_t first = blockBegin(count, block);
        const std::size_t height = blockBegin(count, block + 1) - first;
        float* out = packed + first * headDim;
        for (std::size_t row = 0; row < height; ++row)
            for (std::size_t channel = 0; channel < headDim; ++channel)
                out[channel * height + row] = rows[first + row][channel] * factor;
    }
}

void clearStateAvx2(const SoftmaxState& state, std::size_t rows, std::size_t headDim)
{
    for (std::size_t row = 0; row < rows; ++row) {
        state.maximum[row] = kNothing;
        state.sum[row] = 0.0F;
    }
    for (std::size_t i = 0; i < rows * headDim; i += 8)
        _mm256_storeu_ps(state.out + i, _mm256_setzero_ps());
}

void foldStateAvx2(const SoftmaxState& total, const SoftmaxState& part, std::size_t rows,
                   std::size_t headDim)
{
    for (std::size_t row = 0; row < rows; ++row) {
        const float largest = larger(total.maximum[row], part.maximum[row]);
        if (largest == kNothing)
            continue;
        alignas(32) float factors[8] = {total.maximum[row] - largest, part.maximum[row] - largest};
        _mm256_store_ps(factors, exp2Bounded(_mm256_load_ps(factors)));
        total.maximum[row] = largest;
        total.sum[row] = total.sum[row] * factors[0] + part.sum[row] * factors[1];
        const __m256 old = _mm256_set1_ps(factors[0]);
        const __m256 more = _mm256_set1_ps(factors[1]);
        for (std::size_t i = row * headDim; i < (row + 1) * headDim; i += 8)
            _mm256_storeu_ps(total.out + i,
                             _mm256_fmadd_ps(_mm256_loadu_ps(part.out + i), more,
                                             _mm256_mul_ps(_mm256_loadu_ps(total.out + i), old)));
    }
}

void takeMaximaAvx2(float* best, const float* logits, float normaliser, std::size_t count)
{
    const __m256 subtrahend = _mm256_set1_ps(normaliser);
    for (std::size_t i = 0; i < count; i += 8) {
        const __m256 relative = _mm256_sub_ps(_mm256_loadu_ps(logits + i), subtrahend);
        _mm256_storeu_ps(best + i, _mm256_max_ps(relative, _mm256_loadu_ps(best + i)));
    }
}

} // namespace kernels::cpu
