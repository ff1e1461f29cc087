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

constexpr std::size_t kRows = 4; // rows times tokens of sums fill twelve of sixteen registers
constexpr std::size_t kTokens = 3;
constexpr std::size_t kConvertedRows = 8;                  // 16 KiB of float32: half of an L1 cache
constexpr std::size_t kConvertedStride = kFloatChunk + 16; // not a power of two: other cache sets

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

/// Lane i of the result is the sum of the lanes of rows[i].
__m128 sumEach(const __m256 (&rows)[kRows])
{
    __m128 halves[kRows];
#pragma GCC unroll 4
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

/// sums[token][row] += weights of eight columns * activations of the same columns. Weights are
/// loaded one row at a time: with the sums and the activations there is just one register left for
/// them.
template <typename Load, std::size_t Rows, std::size_t Tokens>
void addProducts(__m256 (&sums)[Tokens][kRows], const __m256 (&in)[Tokens],
                 const std::byte* weights, std::size_t stride)
{
#pragma GCC unroll 4
    for (std::size_t row = 0; row < Rows; ++row) {
        const __m256 weight = Load::load(weights + row * stride);
#pragma GCC unroll 3
        for (std::size_t token = 0; token < Tokens; ++token)
            pin(sums[token][row] = _mm256_fmadd_ps(weight, in[token], sums[token][row]));
    }
}

/// Ones in the first `count` lanes, for masked loads.
__m256i firstLanes(std::size_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/// Rows x Tokens products over one piece of columns. If it ends within a register of columns,
/// the weights must go on with zeros to the end of the register.
template <typename Load, std::size_t Rows, std::size_t Tokens>
void multiplyPiece(const Piece& piece)
{
    __m256 sums[Tokens][kRows];
#pragma GCC unroll 3
    for (std::size_t token = 0; token < Tokens; ++token) {
#pragma GCC unroll 4
        for (std::size_t row = 0; row < kRows; ++row)
            sums[token][row] = _mm256_setzero_ps();
    }
    __m256 in[Tokens];
    const std::size_t whole = piece.columns / kLanes * kLanes;
    for (std::size_t column = 0; column < whole; column += kLanes) {
#pragma GCC unroll 3
        for (std::size_t token = 0; token < Tokens; ++token)
            in[token] = _mm256_loadu_ps(piece.in + token * piece.inStride + column);
        addProducts<Load, Rows, Tokens>(sums, in, piece.weights + column * Load::kBytes,
                                        piece.weightStride);
    }
    if (whole < piece.columns) {
        const __m256i mask = firstLanes(piece.columns - whole);
#pragma GCC unroll 3
        for (std::size_t token = 0; token < Tokens; ++token)
            in[token] = _mm256_maskload_ps(piece.in + token * piece.inStride + whole, mask);
        addProducts<Load, Rows, Tokens>(sums, in, piece.weights + whole * Load::kBytes,
                                        piece.weightStride);
    }
#pragma GCC unroll 3
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
