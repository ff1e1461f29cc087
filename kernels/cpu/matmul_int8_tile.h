// Tiles of 8-bit products, whatever the instruction that multiplies.
//
// A register lane is a weight row. The integer sum of a block of 32 columns is exact, and the
// blocks are added in their order as float32: sum = fma(integer sum, weight scale * activation
// scale, sum). Streaming and unpacking kernels of all levels follow this, hence their results are
// the same bits.
#pragma once

#include "kernels/cpu/matmul_avx2.h"

#include <cstring>
#include <immintrin.h>

namespace kernels::cpu::avx2 {
namespace {

inline constexpr std::size_t kRegisters = kPanelRows / kLanes;
/// Blocks unpacked at a time: a panel stays in the L1 cache.
inline constexpr std::size_t kChunkBlocks = 8;
inline constexpr std::size_t kPanels = kTileRows / kPanelRows;
inline constexpr std::size_t kGroupSums = kGroupTokens * kPanelRows;

using IntegerSums = __m256i[kRegisters][kGroupTokens];

inline int loadInt(const void* from)
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

/// Copies the sums of a tile, in (group, panel, token, row) order, to the output.
inline void storeTile(const Product& product, const Tile& tile, const float* sums,
                      std::size_t panels)
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

/// Kernel: the types PanelBlock and Block of its operands, and multiply(), which adds their product
/// to the sums of a panel and a group.
template <typename Kernel>
void computeTile(const Product& product, const Tile& tile, std::byte* scratch)
{
    using PanelBlock = typename Kernel::PanelBlock;
    using Block = typename Kernel::Block;
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
                    Kernel::multiply(target, unpacked[panel * kChunkBlocks + block], tokens[block]);
            }
        }
    }
    storeTile(product, tile, sums, panels);
}

} // namespace
} // namespace kernels::cpu::avx2
