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

constexpr std::size_t kVectors = 2; // at once, so that a register of the matrix serves two
constexpr std::size_t kLanes = 4;   // registers of a product for each: enough to hide a sum's delay

/// The vectors of a step one behind the other, and the form's upper matrix (dim, dim) and linear
/// part.
struct UpperForm
{
    const float* vectors;
    const float* matrix;
    const float* linear;
    std::size_t dim;
};

/// To `totals` the products of each vector with 8 * Lanes columns from `begin` on, place by place
/// with the vector.
template <std::size_t Vectors, std::size_t Lanes>
void addColumns(__m256 (&totals)[Vectors], const UpperForm& form, std::size_t begin)
{
    __m256 product[Vectors][Lanes];
    for (std::size_t lane = 0; lane < Lanes; ++lane) {
        for (std::size_t j = 0; j < Vectors; ++j)
            product[j][lane] = _mm256_loadu_ps(form.linear + begin + lane * 8);
    }
    for (std::size_t row = 0; row < begin + Lanes * 8; ++row) {
        const float* line = form.matrix + row * form.dim + begin;
        __m256 factor[Vectors];
        for (std::size_t j = 0; j < Vectors; ++j)
            factor[j] = _mm256_broadcast_ss(form.vectors + j * form.dim + row);
        for (std::size_t lane = 0; lane < Lanes; ++lane) {
            const __m256 columns = _mm256_loadu_ps(line + lane * 8);
            for (std::size_t j = 0; j < Vectors; ++j)
                product[j][lane] = _mm256_fmadd_ps(factor[j], columns, product[j][lane]);
        }
    }
    for (std::size_t j = 0; j < Vectors; ++j) {
        const float* own = form.vectors + j * form.dim + begin;
        for (std::size_t lane = 0; lane < Lanes; ++lane)
            totals[j] =
                _mm256_fmadd_ps(product[j][lane], _mm256_loadu_ps(own + lane * 8), totals[j]);
    }
}

float sumOf(__m256 values)
{
    const __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

template <std::size_t Vectors>
void formsOf(float* out, const UpperForm& form)
{
    __m256 totals[Vectors];
    std::ranges::fill(totals, _mm256_setzero_ps());
    std::size_t begin = 0;
    for (; begin + kLanes * 8 <= form.dim; begin += kLanes * 8)
        addColumns<Vectors, kLanes>(totals, form, begin);
    for (; begin < form.dim; begin += 8)
        addColumns<Vectors, 1>(totals, form, begin);
    for (std::size_t j = 0; j < Vectors; ++j)
        out[j] = sumOf(totals[j]);
}

} // namespace

void addMomentsAvx2(double* sums, double* matrix, const StridedVectors& vectors)
{
    constexpr std::size_t kAtOnce = 64; // vectors whose doubles stay in the first cache
    const std::size_t dim = vectors.dim;
    std::vector<double> wide(kAtOnce * dim);
    for (std::size_t begin = 0; begin < vectors.count; begin += kAtOnce) {
        const std::size_t count = std::min(kAtOnce, vectors.count - begin);
        for (std::size_t i = 0; i < count; ++i) {
            const float* vector = &vectors.data[(begin + i) * vectors.stride];
            for (std::size_t c = 0; c < dim; c += 4) {
                const __m256d four = _mm256_cvtps_pd(_mm_loadu_ps(vector + c));
                _mm256_storeu_pd(&wide[i * dim + c], four);
                _mm256_storeu_pd(sums + c, _mm256_add_pd(_mm256_loadu_pd(sums + c), four));
            }
        }
        for (std::size_t row = 0; matrix != nullptr && row < dim; row += kTileRows) {
            for (std::size_t column = 0; column < row + kTileRows; column += kTileColumns)
                addTile(matrix, wide.data(), count, dim, row, column);
        }
    }
}

void quadraticFormsAvx2(std::span<float> out, const float* vectors, const QuadraticForm& form)
{
    const std::size_t dim = form.linear.size();
    // v^T M v has every product of two places twice: the upper half, doubled, is enough.
    std::vector<float> upper(dim * dim);
    for (std::size_t row = 0; row < dim; ++row) {
        upper[row * dim + row] = form.matrix[row * dim + row];
        for (std::size_t c = row + 1; c < dim; ++c)
            upper[row * dim + c] = 2 * form.matrix[row * dim + c];
    }
    UpperForm own{vectors, upper.data(), form.linear.data(), dim};
    std::size_t j = 0;
    for (; j + kVectors <= out.size(); j += kVectors, own.vectors += kVectors * dim)
        formsOf<kVectors>(&out[j], own);
    for (; j < out.size(); ++j, own.vectors += dim)
        formsOf<1>(&out[j], own);
}

} // namespace kernels::cpu
