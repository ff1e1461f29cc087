#include "kernels/cpu/matmul_stream_rows.h"

namespace kernels::cpu::avx2 {
namespace {

/// How one block of a row meets 32 activations: eight lanes whose sum is the block's integer sum.
struct Q8Stream
{
    static constexpr std::size_t kBytes = 34;
    static constexpr std::int32_t kRaisedBy = 0;

    static __m256i multiply(const std::byte* block, __m256i activations)
    {
        const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 2));
        // |w| * (sign(w) * a): the unsigned times signed instruction; at most 2 * 128 * 127 in 16
        // bits.
        const __m256i signedBySign = _mm256_sign_epi8(activations, weights);
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(weights), signedBySign);
        return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    }
};

struct Q4Stream
{
    static constexpr std::size_t kBytes = 18;
    static constexpr std::int32_t kRaisedBy = 8;

    static __m256i multiply(const std::byte* block, __m256i activations)
    {
        const __m256i pairs = _mm256_maddubs_epi16(loadNibbles(block + 2), activations);
        return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    }
};

} // namespace

void streamInt8(const Product& product, const Tile& tile)
{
    if (product.weights.type == WeightType::Q8_0)
        streamRows<Q8Stream>(product, tile);
    else
        streamRows<Q4Stream>(product, tile);
}

} // namespace kernels::cpu::avx2
