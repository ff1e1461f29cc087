// Products with float32 activations.
//
// Eight lanes run along the columns. A piece of kFloatChunk columns is summed lane by lane with
// fused multiply-adds, the lanes are added as ((0+4)+(1+5))+((2+6)+(3+7)), and the pieces one after
// another.

#include "kernels/cpu/matmul_avx2.h"

#include <cstring>
#include <immintrin.h>

namespace kernels::cpu::avx2 {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kRows = 4; // rows times tokens of sums fill twelve of sixteen registers
constexpr std::size_t kTokens = 3;
constexpr std::size_t kConvertedRows = 8;                  // 16 KiB of float32: half of an L1 cache
constexpr std::size_t kConvertedStride = kFloatChunk + 16; // not a power of two: other cache sets

__m256 loadTailF32(const float* from, std::size_t count)
{
    alignas(32) float lanes[kLanes] = {};
    std::memcpy(lanes, from, count * sizeof(float));
    return _mm256_load_ps(lanes);
}

__m128i loadTail16(const std::byte* from, std::size_t count)
{
    alignas(16) std::uint16_t lanes[kLanes] = {};
    std::memcpy(lanes, from, count * sizeof(std::uint16_t));
    return _mm_load_si128(reinterpret_cast<const __m128i*>(lanes));
}

/// Eight weights as they lie in memory, as float32; `loadTail` reads the last few and fills with
/// zeros.
struct LoadF32
{
    static constexpr std::size_t kBytes = 4;
    static __m256 load(const std::byte* from)
    {
        return _mm256_loadu_ps(reinterpret_cast<const float*>(from));
    }
    static __m256 loadTail(const std::byte* from, std::size_t count)
    {
        return loadTailF32(reinterpret_cast<const float*>(from), count);
    }
};

struct LoadF16
{
    static constexpr std::size_t kBytes = 2;
    static __m256 load(const std::byte* from)
    {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
    static __m256 loadTail(const std::byte* from, std::size_t count)
    {
        return _mm256_cvtph_ps(loadTail16(from, count));
    }
};

struct LoadBf16
{
    static constexpr std::size_t kBytes = 2;
    static __m256 widen(__m128i halves)
    {
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
    }
    static __m256 load(const std::byte* from)
    {
        return widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
    static __m256 loadTail(const std::byte* from, std::size_t count)
    {
        return widen(loadTail16(from, count));
    }
};

/// Operands of one small product inside a piece of columns.
struct Piece
{
    const std::byte* weights = nullptr; // first row, first column of the piece
    std::size_t weightStride = 0;       // bytes from row to row
    const float* in = nullptr;          // first token, first column
    std::size_t inStride = 0;           // floats from token to token
    std::size_t columns = 0;
    float* out = nullptr; // first token, first row
    std::size_t outStride = 0;
    bool first = true; // the first piece sets the output, the others add to it
};

/// Lane i of the result is the sum of rows[i].
__m128 sumEach(const __m256 (&rows)[kRows])
{
    __m128 halves[kRows];
    for (std::size_t i = 0; i < kRows; ++i)
        halves[i] = _mm_add_ps(_mm256_castps256_ps128(rows[i]), _mm256_extractf128_ps(rows[i], 1));
    return _mm_hadd_ps(_mm_hadd_ps(halves[0], halves[1]), _mm_hadd_ps(halves[2], halves[3]));
}

template <std::size_t Rows>
void storeSums(const Piece& piece, std::size_t token, __m128 sums)
{
    float* out = piece.out + token * piece.outStride;
    if constexpr (Rows == kRows) {
        _mm_storeu_ps(out, piece.first ? sums : _mm_add_ps(_mm_loadu_ps(out), sums));
    } else {
        const float sum = _mm_cvtss_f32(sums);
        *out = piece.first ? sum : *out + sum;
    }
}

/// Rows x Tokens products over one piece of columns.
template <typename Load, std::size_t Rows, std::size_t Tokens>
void multiplyPiece(const Piece& piece)
{
    __m256 sums[Tokens][kRows];
    for (std::size_t token = 0; token < Tokens; ++token)
        for (std::size_t row = 0; row < kRows; ++row)
            sums[token][row] = _mm256_setzero_ps();
    const auto addLanes = [&sums](const __m256(&in)[Tokens], const __m256(&weights)[Rows]) {
#pragma GCC unroll 4
        for (std::size_t row = 0; row < Rows; ++row) {
#pragma GCC unroll 3
            for (std::size_t token = 0; token < Tokens; ++token)
                sums[token][row] = _mm256_fmadd_ps(weights[row], in[token], sums[token][row]);
        }
    };
    __m256 in[Tokens];
    __m256 weights[Rows];
    const std::size_t whole = piece.columns / kLanes * kLanes;
    for (std::size_t column = 0; column < whole; column += kLanes) {
#pragma GCC unroll 3
        for (std::size_t token = 0; token < Tokens; ++token)
            in[token] = _mm256_loadu_ps(piece.in + token * piece.inStride + column);
#pragma GCC unroll 4
        for (std::size_t row = 0; row < Rows; ++row)
            weights[row] =
                Load::load(piece.weights + row * piece.weightStride + column * Load::kBytes);
        addLanes(in, weights);
    }
    if (const std::size_t rest = piece.columns - whole; rest != 0) {
        for (std::size_t token = 0; token < Tokens; ++token)
            in[token] = loadTailF32(piece.in + token * piece.inStride + whole, rest);
        for (std::size_t row = 0; row < Rows; ++row)
            weights[row] = Load::loadTail(
                piece.weights + row * piece.weightStride + whole * Load::kBytes, rest);
        addLanes(in, weights);
    }
    for (std::size_t token = 0; token < Tokens; ++token)
        storeSums<Rows>(piece, token, sumEach(sums[token]));
}

template <typename Load, std::size_t Rows>
void multiplyTokens(const Piece& piece, std::size_t tokens)
{
    if (tokens == 1)
        multiplyPiece<Load, Rows, 1>(piece);
    else if (tokens == 2)
        multiplyPiece<Load, Rows, 2>(piece);
    else
        multiplyPiece<Load, Rows, kTokens>(piece);
}

/// The product of `rows` rows and up to kTokens tokens: four rows at a time, then one by one.
template <typename Load>
void multiplyRows(Piece piece, std::size_t rows, std::size_t tokens)
{
    std::size_t row = 0;
    for (; row + kRows <= rows; row += kRows) {
        multiplyTokens<Load, kRows>(piece, tokens);
        piece.weights += kRows * piece.weightStride;
        piece.out += kRows;
    }
    for (; row < rows; ++row) {
        multiplyTokens<Load, 1>(piece, tokens);
        piece.weights += piece.weightStride;
        piece.out += 1;
    }
}

template <typename Load>
void streamRows(const Product& product, const Tile& tile)
{
    const WeightView& weights = product.weights;
    for (std::size_t row = 0; row < tile.rows; row += kRows) {
        const std::size_t count = tile.rows - row < kRows ? tile.rows - row : kRows;
        for (std::size_t first = 0; first < weights.cols; first += kFloatChunk) {
            const std::size_t rest = weights.cols - first;
            const Piece piece{
                .weights =
                    weights.data + ((tile.firstRow + row) * weights.cols + first) * Load::kBytes,
                .weightStride = weights.cols * Load::kBytes,
                .in = product.in + tile.firstToken * weights.cols + first,
                .inStride = weights.cols,
                .columns = rest < kFloatChunk ? rest : kFloatChunk,
                .out = product.out + tile.firstToken * weights.rows + tile.firstRow + row,
                .outStride = weights.rows,
                .first = first == 0};
            multiplyRows<Load>(piece, count, tile.tokens);
        }
    }
}

template <typename Load>
void convertFloats(float* out, const std::byte* from, std::size_t count)
{
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes)
        _mm256_storeu_ps(out + i, Load::load(from + i * Load::kBytes));
    if (i < count)
        _mm256_storeu_ps(out + i, Load::loadTail(from + i * Load::kBytes, count - i));
}

__m256 loadScale(const std::byte* block)
{
    std::uint16_t bits;
    std::memcpy(&bits, block, sizeof(bits));
    return _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
}

void storeScaled(float* out, __m128i quants, __m256 scale)
{
    _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(quants)), scale));
}

void convertQ8(float* out, const std::byte* from, std::size_t count)
{
    constexpr std::size_t kBytes = 34;
    for (std::size_t i = 0; i < count; i += kBlockColumns, from += kBytes) {
        const __m256 scale = loadScale(from);
        for (std::size_t part = 0; part < kBlockColumns; part += kLanes)
            storeScaled(out + i + part,
                        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + 2 + part)), scale);
    }
}

void convertQ4(float* out, const std::byte* from, std::size_t count)
{
    constexpr std::size_t kBytes = 18;
    const __m128i mask = _mm_set1_epi8(0x0F);
    const __m128i eight = _mm_set1_epi8(8);
    for (std::size_t i = 0; i < count; i += kBlockColumns, from += kBytes) {
        const __m256 scale = loadScale(from);
        const __m128i nibbles = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 2));
        const __m128i low = _mm_sub_epi8(_mm_and_si128(nibbles, mask), eight);
        const __m128i high = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(nibbles, 4), mask), eight);
        storeScaled(out + i, low, scale);
        storeScaled(out + i + 8, _mm_srli_si128(low, 8), scale);
        storeScaled(out + i + 16, high, scale);
        storeScaled(out + i + 24, _mm_srli_si128(high, 8), scale);
    }
}

/// Columns [first, first + count) of one row as float32, filled up with zeros to a whole register.
void convertRow(float* out, const WeightView& weights, std::size_t row, std::size_t first,
                std::size_t count)
{
    switch (weights.type) {
    case WeightType::F32:
        convertFloats<LoadF32>(out, weights.data + (row * weights.cols + first) * 4, count);
        break;
    case WeightType::F16:
        convertFloats<LoadF16>(out, weights.data + (row * weights.cols + first) * 2, count);
        break;
    case WeightType::BF16:
        convertFloats<LoadBf16>(out, weights.data + (row * weights.cols + first) * 2, count);
        break;
    case WeightType::Q8_0:
        convertQ8(out, weights.data + (row * weights.cols + first) / kBlockColumns * 34, count);
        break;
    case WeightType::Q4_0:
        convertQ4(out, weights.data + (row * weights.cols + first) / kBlockColumns * 18, count);
        break;
    }
}

} // namespace

void streamFloat(const Product& product, const Tile& tile)
{
    if (product.weights.type == WeightType::F16)
        streamRows<LoadF16>(product, tile);
    else if (product.weights.type == WeightType::BF16)
        streamRows<LoadBf16>(product, tile);
    else
        streamRows<LoadF32>(product, tile);
}

void tileFloat(const Product& product, const Tile& tile, std::byte* scratch)
{
    static_assert(kConvertedRows * kConvertedStride * sizeof(float) <= kTileScratchBytes);
    const WeightView& weights = product.weights;
    auto* converted = reinterpret_cast<float*>(scratch);
    for (std::size_t first = 0; first < weights.cols; first += kFloatChunk) {
        const std::size_t rest = weights.cols - first;
        const std::size_t columns = rest < kFloatChunk ? rest : kFloatChunk;
        for (std::size_t row = 0; row < tile.rows; row += kConvertedRows) {
            const std::size_t left = tile.rows - row;
            const std::size_t rows = left < kConvertedRows ? left : kConvertedRows;
            for (std::size_t i = 0; i < rows; ++i)
                convertRow(converted + i * kConvertedStride, weights, tile.firstRow + row + i,
                           first, columns);
            for (std::size_t token = 0; token < tile.tokens; token += kTokens) {
                const std::size_t remaining = tile.tokens - token;
                const std::size_t index = tile.firstToken + token;
                multiplyRows<LoadF32>(
                    {.weights = scratch,
                     .weightStride = kConvertedStride * sizeof(float),
                     .in = product.in + index * weights.cols + first,
                     .inStride = weights.cols,
                     .columns = columns,
                     .out = product.out + index * weights.rows + tile.firstRow + row,
                     .outStride = weights.rows,
                     .first = first == 0},
                    rows, remaining < kTokens ? remaining : kTokens);
            }
        }
    }
}

} // namespace kernels::cpu::avx2
