// Products of 8-bit and 4-bit weights with activations rounded to 8 bits, compiled for AVX2.

#include "kernels/cpu/matmul_int8_tile.h"

namespace kernels::cpu::avx2 {
namespace {

/// Q8_0: 16-bit products of column pairs, summed in 32 bits.
struct PairedKernel
{
    using PanelBlock = PairedPanelBlock;
    using Block = PairedBlock;

    static void multiply(float* sums, const PairedPanelBlock& weights, const PairedBlock& tokens)
    {
        IntegerSums integers;
#pragma GCC unroll 6
        for (std::size_t token = 0; token < kGroupTokens; ++token)
            integers[0][token] = integers[1][token] = _mm256_setzero_si256();

#pragma GCC unroll 2
        for (std::size_t pair = 0; pair < kBlockColumns / 2; ++pair) {
            const auto* rows = reinterpret_cast<const __m256i*>(weights.pairs[pair]);
            const __m256i first = _mm256_load_si256(rows);
            const __m256i second = _mm256_load_si256(rows + 1);
#pragma GCC unroll 6
            for (std::size_t token = 0; token < kGroupTokens; ++token) {
                const __m256i both = _mm256_set1_epi32(loadInt(tokens.pairs[pair][token]));
                integers[0][token] =
                    _mm256_add_epi32(integers[0][token], _mm256_madd_epi16(first, both));
                pin(integers[0][token]);
                integers[1][token] =
                    _mm256_add_epi32(integers[1][token], _mm256_madd_epi16(second, both));
                pin(integers[1][token]);
            }
        }
        addScaled(sums, integers, weights, tokens);
    }
};

/// Q4_0: products of nibbles, whose sum over a block fits 16 bits (32 * 15 * 127 in two lanes).
struct QuadKernel
{
    using PanelBlock = QuadPanelBlock;
    using Block = QuadBlock;

    static void multiply(float* sums, const QuadPanelBlock& weights, const QuadBlock& tokens)
    {
        IntegerSums integers;
#pragma GCC unroll 6
        for (std::size_t token = 0; token < kGroupTokens; ++token)
            integers[0][token] = integers[1][token] = _mm256_setzero_si256();

#pragma GCC unroll 2
        for (std::size_t quad = 0; quad < kBlockColumns / 4; ++quad) {
            const auto* rows = reinterpret_cast<const __m256i*>(weights.quads[quad]);
            const __m256i first = _mm256_load_si256(rows);
            const __m256i second = _mm256_load_si256(rows + 1);
#pragma GCC unroll 6
            for (std::size_t token = 0; token < kGroupTokens; ++token) {
                const __m256i four = _mm256_set1_epi32(loadInt(tokens.quads[quad][token]));
                integers[0][token] =
                    _mm256_add_epi16(integers[0][token], _mm256_maddubs_epi16(first, four));
                pin(integers[0][token]);
                integers[1][token] =
                    _mm256_add_epi16(integers[1][token], _mm256_maddubs_epi16(second, four));
                pin(integers[1][token]);
            }
        }
        const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 6
        for (std::size_t token = 0; token < kGroupTokens; ++token) {
            const __m256i offset = _mm256_set1_epi32(tokens.offsets[token]);
#pragma GCC unroll 2
            for (std::size_t i = 0; i < kRegisters; ++i) {
                const __m256i wide = _mm256_madd_epi16(integers[i][token], ones);
                integers[i][token] = _mm256_sub_epi32(wide, offset);
            }
        }
        addScaled(sums, integers, weights, tokens);
    }
};

} // namespace

void tileInt8(const Product& product, const Tile& tile, std::byte* scratch)
{
    if (product.weights.type == WeightType::Q8_0)
        computeTile<PairedKernel>(product, tile, scratch);
    else
        computeTile<QuadKernel>(product, tile, scratch);
}

} // namespace kernels::cpu::avx2

namespace kernels::cpu {

const MatmulKernels& avx2MatmulKernels()
{
    static constexpr MatmulKernels kKernels{.roundToken = avx2::roundToken,
                                            .groupBytes = avx2::groupBytes,
                                            .interleaveGroup = avx2::interleaveGroup,
                                            .streamInt8 = avx2::streamInt8,
                                            .tileInt8 = avx2::tileInt8,
                                            .streamFloat = avx2::streamFloat,
                                            .tileFloat = avx2::tileFloat};
    return kKernels;
}

} // namespace kernels::cpu
