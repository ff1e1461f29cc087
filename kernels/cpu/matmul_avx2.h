#pragma once

// Shared by the AVX2 sources of matmul. Nothing here or there may be an inline function of a common
// header: the linker could pick the AVX2 copy of it for the whole program.

#include "kernels/cpu/matmul_kernels.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>

namespace kernels::cpu::avx2 {

constexpr std::size_t kLanes = 8;

/// Rows that are unpacked together: two registers of eight lanes, a lane per row.
constexpr std::size_t kPanelRows = 16;

/// One block of columns of a group of tokens for Q8_0 weights: 16-bit quants in pairs of columns,
/// the unit of the multiply-add instruction.
struct PairedBlock
{
    float scales[kGroupTokens];
    std::int16_t pairs[kBlockColumns / 2][kGroupTokens][2];
};

/// The same for unsigned weights: 8-bit quants in fours. `offsets` is the sum times what was added
/// to the weights to make them unsigned: 8 (Q4_0) or 128 (Q8_0).
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

/// The same to meet QuadBlock; nibbles 0 to 15 (Q4_0) or quants moved up by 128 (Q8_0).
struct QuadPanelBlock
{
    alignas(64) float scales[kPanelRows];
    std::uint8_t quads[kBlockColumns / 4][kPanelRows][4];
};

/// Keeps a running sum in its register: left alone, the optimiser regroups additions and spills the
/// sums.
inline void pin(__m256& sum)
{
    asm("" : "+x"(sum));
}

inline void pin(__m256i& sum)
{
    asm("" : "+x"(sum));
}

inline int loadHalf(const std::byte* from)
{
    std::uint16_t bits;
    std::memcpy(&bits, from, sizeof(bits));
    return bits;
}

/// The 32 nibbles of a Q4_0 block in the order of its columns, a byte each.
inline __m256i loadNibbles(const std::byte* from)
{
    const __m128i nibbles = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m256i shifted =
        _mm256_srlv_epi64(_mm256_broadcastsi128_si256(nibbles), _mm256_setr_epi64x(0, 0, 4, 4));
    return _mm256_and_si256(shifted, _mm256_set1_epi8(0x0F));
}

/// The binary16 scales at the start of a block in each of eight rows, `offset` bytes into the rows.
inline __m256 loadScales(const std::byte* const (&rows)[kLanes], std::size_t offset)
{
    __m128i halves = _mm_cvtsi32_si128(loadHalf(rows[0] + offset));
    halves = _mm_insert_epi16(halves, loadHalf(rows[1] + offset), 1);
    halves = _mm_insert_epi16(halves, loadHalf(rows[2] + offset), 2);
    halves = _mm_insert_epi16(halves, loadHalf(rows[3] + offset), 3);
    halves = _mm_insert_epi16(halves, loadHalf(rows[4] + offset), 4);
    halves = _mm_insert_epi16(halves, loadHalf(rows[5] + offset), 5);
    halves = _mm_insert_epi16(halves, loadHalf(rows[6] + offset), 6);
    halves = _mm_insert_epi16(halves, loadHalf(rows[7] + offset), 7);
    return _mm256_cvtph_ps(halves);
}

/// Eight weights as they lie in memory, as float32.
struct LoadF32
{
    static constexpr std::size_t kBytes = 4;
    static __m256 load(const std::byte* from)
    {
        return _mm256_loadu_ps(reinterpret_cast<const float*>(from));
    }
};

struct LoadF16
{
    static constexpr std::size_t kBytes = 2;
    static __m256 load(const std::byte* from)
    {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
};

struct LoadBf16
{
    static constexpr std::size_t kBytes = 2;
    static __m256 load(const std::byte* from)
    {
        const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
    }
};

/// Columns [first, first + count) of one row as float32, filled up with zeros to a whole register.
void convertRow(float* out, const WeightView& weights, std::size_t row, std::size_t first,
                std::size_t count);

/// Q8_0 meets PairedBlock and Q4_0 meets QuadBlock.
std::size_t groupBytes(WeightType type, std::size_t cols);
void interleaveGroup(const Product& product, std::size_t group);
/// Both meet QuadBlock.
std::size_t quadGroupBytes(WeightType type, std::size_t cols);
void interleaveQuads(const Product& product, std::size_t group);

void roundToken(const Product& product, std::size_t token);

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
