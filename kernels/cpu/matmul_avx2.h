#pragma once

// Shared by the AVX2 sources of matmul. Nothing here or there may be an inline function of a common
// header: the linker could pick the AVX2 copy of it for the whole program.

#include "kernels/cpu/matmul_kernels.h"

#include <cstddef>
#include <cstdint>

namespace kernels::cpu::avx2 {

/// Rows that are unpacked together: two registers of eight lanes, a lane per row.
constexpr std::size_t kPanelRows = 16;

/// One block of columns of a group of tokens for Q8_0 weights: 16-bit quants in pairs of columns,
/// the unit of the multiply-add instruction.
struct PairedBlock
{
    float scales[kGroupTokens];
    std::int16_t pairs[kBlockColumns / 2][kGroupTokens][2];
};

/// The same for Q4_0 weights: 8-bit quants in fours. `offsets` is 8 * sum, because the nibbles are
/// multiplied without their offset of 8.
struct QuadBlock
{
    float scales[kGroupTokens];
    std::int32_t offsets[kGroupTokens];
    std::int8_t quads[kBlockColumns / 4][kGroupTokens][4];
};

/// One block of columns of a panel of weights, unpacked to meet PairedBlock (Q8_0).
struct PairedPanelBlock
{
    alignas(64) float scales[kPanelRows];
    std::int16_t pairs[kBlockColumns / 2][kPanelRows][2];
};

/// The same to meet QuadBlock (Q4_0); nibbles 0 to 15.
struct QuadPanelBlock
{
    alignas(64) float scales[kPanelRows];
    std::uint8_t quads[kBlockColumns / 4][kPanelRows][4];
};

std::size_t groupBytes(WeightType type, std::size_t cols);
void roundToken(const Product& product, std::size_t token);
void interleaveGroup(const Product& product, std::size_t group);

/// Unpacks blocks [firstBlock, firstBlock + blocks) of kPanelRows rows from `firstRow`. Rows behind
/// the matrix repeat its last row.
void unpackPanel(PairedPanelBlock* out, const WeightView& weights, std::size_t firstRow,
                 std::size_t firstBlock, std::size_t blocks);
void unpackPanel(QuadPanelBlock* out, const WeightView& weights, std::size_t firstRow,
                 std::size_t firstBlock, std::size_t blocks);

void streamInt8(const Product& product, const Tile& tile);
void tileInt8(const Product& product, const Tile& tile, std::byte* scratch);
void streamFloat(const Product& product, const Tile& tile);
void tileFloat(const Product& product, const Tile& tile, std::byte* scratch);

} // namespace kernels::cpu::avx2
