// Products of 8-bit and 4-bit weights with activations rounded to 8 bits, compiled for AVX-512 with
// VNNI: one instruction multiplies four columns of eight rows and adds them up.
//
// It takes unsigned weights, so those of Q8_0 are moved up by 128 and those of Q4_0 left without
// their offset of 8; what that adds to a sum is taken away again. All of it is exact, so the bits
// are those of AVX2.

#include "kernels/cpu/matmul_int8_tile.h"
#include "kernels/cpu/matmul_stream_rows.h"

namespace kernels::cpu::avx2 {
namespace {

struct DotKernel
{
    using PanelBlock = QuadPanelBlock;
    using Block = QuadBlock;

    static void multiply(float* sums, const QuadPanelBlock& weights, const QuadBlock& tokens)
    {
        IntegerSums integers;
#pragma GCC unroll 6
        for (std::size_t token = 0; token < kGroupTokens; ++token)
            integers[0][token] = integers[1][token] = _mm256_set1_epi32(-tokens.offsets[token]);

#pragma GCC unroll 2
        for (std::size_t quad = 0; quad < kBlockColumns / 4; ++quad) {
            const auto* rows = reinterpret_cast<const __m256i*>(weights.quads[quad]);
            const __m256i first = _mm256_load_si256(rows);
            const __m256i second = _mm256_load_si256(rows + 1);
#pragma GCC unroll 6
            for (std::size_t token = 0; token < kGroupTokens; ++token) {
                const __m256i four = _mm256_set1_epi32(loadInt(tokens.quads[quad][token]));
                integers[0][token] = _mm256_dpbusd_epi32(integers[0][token], first, four);
                integers[1][token] = _mm256_dpbusd_epi32(integers[1][token], second, four);
            }
        }
        addScaled(sums, integers, weights, tokens);
    }
};

struct Q8DotStream
{
    static constexpr std::size_t kBytes = 34;
    static constexpr std::int32_t kRaisedBy = 128;

    static __m256i multiply(const std::byte* block, __m256i activations)
    {
        const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 2));
        const __m256i raised = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
        return _mm256_dpbusd_epi32(_mm256_setzero_si256(), raised, activations);
    }
};

struct Q4DotStream
{
    static constexpr std::size_t kBytes = 18;
    static constexpr std::int32_t kRaisedBy = 8;

    static __m256i multiply(const std::byte* block, __m256i activations)
    {
        return _mm256_dpbusd_epi32(_mm256_setzero_si256(), loadNibbles(block + 2), activations);
    }
};

void tileDots(const Product& product, const Tile& tile, std::byte* scratch)
{
    computeTile<DotKernel>(product, tile, scratch);
}

void streamDots(const Product& product, const Tile& tile)
{
    if (product.weights.type == WeightType::Q8_0)
        streamRows<Q8DotStream>(product, tile);
    else
        streamRows<Q4DotStream>(product, tile);
}

} // namespace
} // namespace kernels::cpu::avx2

namespace kernels::cpu {

const MatmulKernels& avx512MatmulKernels()
{
    static constexpr MatmulKernels kKernels{.roundToken = avx2::roundToken,
                                            .groupBytes = avx2::quadGroupBytes,
                                            .interleaveGroup = avx2::interleaveQuads,
                                            .streamInt8 = avx2::streamDots,
                                            .tileInt8 = avx2::tileDots,
                                            .streamFloat = avx2::streamFloat,
                                            .tileFloat = avx2::tileFloat};
    return kKernels;
}

} // namespace kernels::cpu
