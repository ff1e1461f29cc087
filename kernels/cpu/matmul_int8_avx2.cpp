// Products of 8-bit and 4-bit weights with activations rounded to 8 bits.
//
// A register lane is a weight row. The integer sum of a block of 32 columns is exact, and the
// blocks are added in their order as float32: sum = fma(integer sum, weight scale * activation
// scale, sum). Both the streaming and the unpacking kernel follow this, hence their results are the
// same bits.

#include "kernels/cpu/matmul_avx2.h"

#include <cstring>
#include <immintrin.h>

namespace kernels::cpu::avx2 {
namespace {

constexpr std::size_t kRegisters = kPanelRows / kLanes;
constexpr std::size_t kChunkBlocks = 8; // blocks unpacked at a time: a panel stays in the L1 cache
constexpr std::size_t kPanels = kTileRows / kPanelRows;
constexpr std::size_t kGroupSums = kGroupTokens * kPanelRows;

using IntegerSums = __m256i[kRegisters][kGroupTokens];

int loadInt(const void* from)
{
    int value;
    std::memcpy(&value, from, sizeof(value));
    return value;
}

/// Adds the scaled integer sums of one block to the float sums of a panel and a group.
template <typename PanelBlock, typename Block>
void addScaled(float* sums, const IntegerSums& integers, const PanelBlock& weights,
               const Block& tokens)
{
#pragma GCC unroll 6
    for (std::size_t token = 0; token < kGroupTokens; ++token) {
        const __m256 tokenScale = _mm256_set1_ps(tokens.scales[token]);
#pragma GCC unroll 2
        for (std::size_t i = 0; i < kRegisters; ++i) {
            float* target = sums + token * kPanelRows + i * kLanes;
            const __m256 scale =
                _mm256_mul_ps(_mm256_load_ps(weights.scales + i * kLanes), tokenScale);
            const __m256 sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers[i][token]), scale,
                                               _mm256_load_ps(target));
            _mm256_store_ps(target, sum);
        }
    }
}

/// Q8_0: 16-bit products of column pairs, summed in 32 bits.
void multiplyBlock(float* sums, const PairedPanelBlock& weights, const PairedBlock& tokens)
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

/// Q4_0: products of nibbles, whose sum over a block fits 16 bits (32 * 15 * 127 in two lanes).
void multiplyBlock(float* sums, const QuadPanelBlock& weights, const QuadBlock& tokens)
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

/// Copies the sums of a tile, in (group, panel, token, row) order, to the output.
void storeTile(const Product& product, const Tile& tile, const float* sums, std::size_t panels)
{
    for (std::size_t token = 0; token < tile.tokens; ++token) {
        float* out = product.out + (tile.firstToken + token) * product.weights.rows + tile.firstRow;
        const float* from =
            sums + token / kGroupTokens * panels * kGroupSums + token % kGroupTokens * kPanelRows;
        for (std::size_t row = 0; row < tile.rows; row += kPanelRows, from += kGroupSums) {
            const std::size_t rest = tile.rows - row;
            const std::size_t count = rest < kPanelRows ? rest : kPanelRows;
            std::memcpy(out + row, from, count * sizeof(float));
        }
    }
}

template <typename PanelBlock, typename Block>
void computeTile(const Product& product, const Tile& tile, std::byte* scratch)
{
    constexpr std::size_t kSumBytes = kTileRows * kTileTokens * sizeof(float);
    static_assert(kSumBytes + kPanels * kChunkBlocks * sizeof(PanelBlock) <= kTileScratchBytes);
    auto* sums = reinterpret_cast<float*>(scratch);
    auto* unpacked = reinterpret_cast<PanelBlock*>(scratch + kSumBytes);
    std::memset(sums, 0, kSumBytes);

    const std::size_t blocks = product.weights.cols / kBlockColumns;
    const std::size_t panels = (tile.rows + kPanelRows - 1) / kPanelRows;
    const std::size_t groups = (tile.tokens + kGroupTokens - 1) / kGroupTokens;
    const auto* interleaved = reinterpret_cast<const Block*>(product.rounded.interleaved) +
                              tile.firstToken / kGroupTokens * blocks;
    for (std::size_t first = 0; first < blocks; first += kChunkBlocks) {
        const std::size_t count = blocks - first < kChunkBlocks ? blocks - first : kChunkBlocks;
        for (std::size_t panel = 0; panel < panels; ++panel)
            unpackPanel(unpacked + panel * kChunkBlocks, product.weights,
                        tile.firstRow + panel * kPanelRows, first, count);
        for (std::size_t group = 0; group < groups; ++group) {
            const Block* tokens = interleaved + group * blocks + first;
            for (std::size_t panel = 0; panel < panels; ++panel) {
                float* target = sums + (group * panels + panel) * kGroupSums;
                for (std::size_t block = 0; block < count; ++block)
                    multiplyBlock(target, unpacked[panel * kChunkBlocks + block], tokens[block]);
            }
        }
    }
    storeTile(product, tile, sums, panels);
}

} // namespace

void tileInt8(const Product& product, const Tile& tile, std::byte* scratch)
{
    if (product.weights.type == WeightType::Q8_0)
        computeTile<PairedPanelBlock, PairedBlock>(product, tile, scratch);
    else
        computeTile<QuadPanelBlock, QuadBlock>(product, tile, scratch);
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
