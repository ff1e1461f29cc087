#include "kernels/cpu/attention_block.h"
#include "kernels/cpu/score_pass_tile.h"

namespace kernels::cpu {

void softmaxRowAvx2(float* row, std::size_t count)
{
    __m256 largest = _mm256_set1_ps(kNothing);
    for (std::size_t i = 0; i < count; i += 8) // the second operand where a number is missing
        largest = _mm256_max_ps(_mm256_loadu_ps(row + i), largest);
    const float maximum = largestLane(largest);
    const __m256 base = _mm256_set1_ps(maximum == kNothing ? 0.0F : maximum);
    __m256 total = _mm256_setzero_ps();
    for (std::size_t i = 0; i < count; i += 8) {
        const __m256 relative = _mm256_sub_ps(_mm256_loadu_ps(row + i), base);
        const __m256 missing = _mm256_cmp_ps(relative, relative, _CMP_UNORD_Q);
        const __m256 weight = exp2Bounded(relative);
        total = _mm256_add_ps(total, _mm256_andnot_ps(missing, weight));
        _mm256_storeu_ps(row + i, _mm256_or_ps(weight, missing));
    }
    const float sum = sumOfLanes(total);
    const __m256 inverse = _mm256_set1_ps(sum > 0.0F ? 1.0F / sum : 0.0F);
    for (std::size_t i = 0; i < count; i += 8)
        _mm256_storeu_ps(row + i, _mm256_mul_ps(_mm256_loadu_ps(row + i), inverse));
}

} // namespace kernels::cpu
