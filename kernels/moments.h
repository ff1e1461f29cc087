#pragma once

#include <cstddef>
#include <span>

namespace kernels::cpu {

/// Vectors with others between them: vector i starts at data[i * stride].
struct StridedVectors
{
    std::span<const float> data;
    std::size_t count = 0;
    std::size_t stride = 0;
    std::size_t dim = 0;
};

/// Adds the vectors to `sums` (dim) and their outer products to `products`, the lower triangle row
/// by row (dim * (dim + 1) / 2, or empty). In double precision and in the order of the vectors, so
/// it makes no difference whether they come at once or one by one. A product of two float32 is
/// exact in double, so every variant gives the same bits.
void addMoments(std::span<double> sums, std::span<double> products, const StridedVectors& vectors);

/// q(v) = v^T M v + linear^T v for a symmetric M.
struct QuadraticForm
{
    std::span<const float> matrix; // (dim, dim); empty: zero
    std::span<const float> linear; // (dim)
};

/// out[j] = q(v_j) for vectors (out.size(), dim).
void quadraticForms(std::span<float> out, std::span<const float> vectors,
                    const QuadraticForm& form);

} // namespace kernels::cpu
