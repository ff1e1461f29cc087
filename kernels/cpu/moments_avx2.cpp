#include "kernels/cpu/moments_kernels.h"

#include <algorithm>
#include <immintrin.h>
#include <vector>

namespace kernels::cpu {
namespace {

constexpr std::size_t kTileRows = 4;
constexpr std::size_t kTileColumns = 8; // two registers of doubles

/// Rows [row, row + 4) and columns [column, column + 8) of the products of all vectors: the tile
/// stays in eight registers. `vectors` is (count, dim).
void addTile(double* matrix, const double* vectors, std::size_t count, std::size_t dim,
             std::size_t row, std::size_t column)
{
    __m256d low[kTileRows];
    __m256d high[kTileRows];
    for (std::size_t r = 0; r < kTileRows; ++r) {
        low[r] = _mm256_loadu_pd(matrix + (row + r) * dim + column);
        high[r] = _mm256_loadu_pd(matrix + (row + r) * dim + column + 4);
    }
    for (std::size_t i = 0; i < count; ++i) {
        const double* vector = vectors + i * dim;
        const __m256d left = _mm256_loadu_pd(vector + column);
        const __m256d right = _mm256_loadu_pd(vector + column + 4);
        for (std::size_t r = 0; r < kTileRows; ++r) {
            const __m256d factor = _mm256_broadcast_sd(vector + row + r);
            low[r] = _mm256_fmadd_pd(factor, left, low[r]);
            high[r] = _mm256_fmadd_pd(factor, right, high[r]);
        }
    }
    for (std::size_t r = 0; r < kTileRows; ++r) {
        _mm256_storeu_pd(matrix + (row + r) * dim + column, low[r]);
        _mm256_storeu_pd(matrix + (row + r) * dim + column + 4, high[r]);
    }
}

constexpr std::size_t kLanes = 4; // registers of a product, enough to hide an addition's delay

/// To `total` the products of `vector` with 8 * Lanes columns from `begin` on of an upper matrix
/// (dim, dim), place by place with the vector.
template <std::size_t Lanes>
__m256 addColumns(__m256 total, const float* vector, const float* matrix, std::size_t dim,
                  std::size_t begin)
{
    __m256 product[Lanes];
    for (std::size_t lane = 0; lane < Lanes; ++lane)
        product[lane] = _mm256_setzero_ps();
    for (std::size_t row = 0; row < begin + Lanes * 8; ++row) {
        const __m256 factor = _mm256_broadcast_ss(vector + row);
        const float* line = matrix + row * dim + begin;
        for (std::size_t lane = 0; lane < Lanes; ++lane)
            product[lane] =
                _mm256_fmadd_ps(factor, _mm256_loadu_ps(line + lane * 8), product[lane]);
    }
    for (std::size_t lane = 0; lane < Lanes; ++lane)
        total = _mm256_fmadd_ps(product[lane], _mm256_loadu_ps(vector + begin + lane * 8), total);
    return total;
}

float sumOf(__m256 values)
{
    const __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

} // namespace

void addProductsAvx2(double* matrix, const StridedVectors& vectors)
{
    constexpr std::size_t kAtOnce = 64; // vectors whose doubles stay in the first cache
    const std::size_t dim = vectors.dim;
    std::vector<double> wide(kAtOnce * dim);
    for (std::size_t begin = 0; begin < vectors.count; begin += kAtOnce) {
        const std::size_t count = std::min(kAtOnce, vectors.count - begin);
        for (std::size_t i = 0; i < count; ++i) {
            const float* vector = &vectors.data[(begin + i) * vectors.stride];
            for (std::size_t c = 0; c < dim; ++c)
                wide[i * dim + c] = static_cast<double>(vector[c]);
        }
        for (std::size_t row = 0; row < dim; row += kTileRows) {
            for (std::size_t column = 0; column < row + kTileRows; column += kTileColumns)
                addTile(matrix, wide.data(), count, dim, row, column);
        }
    }
}

void quadraticFormsAvx2(std::span<float> out, const float* vectors, const float* matrix,
                        std::size_t dim)
{
    // v^T M v has every product of two places twice: the upper half, doubled, is enough.
    std::vector<float> upper(dim * dim);
    for (std::size_t row = 0; row < dim; ++row) {
        upper[row * dim + row] = matrix[row * dim + row];
        for (std::size_t c = row + 1; c < dim; ++c)
            upper[row * dim + c] = 2 * matrix[row * dim + c];
    }
    for (std::size_t j = 0; j < out.size(); ++j) {
        const float* vector = vectors + j * dim;
        __m256 total = _mm256_setzero_ps();
        std::size_t begin = 0;
        for (; begin + kLanes * 8 <= dim; begin += kLanes * 8)
            total = addColumns<kLanes>(total, vector, upper.data(), dim, begin);
        for (; begin < dim; begin += 8)
            total = addColumns<1>(total, vector, upper.data(), dim, begin);
        out[j] = sumOf(total);
    }
}

} // namespace kernels::cpu
