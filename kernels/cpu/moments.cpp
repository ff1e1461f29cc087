#include "kernels/moments.h"

#include "kernels/cpu/moments_kernels.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace kernels::cpu {
namespace {

constexpr std::size_t kLane = 8;

bool usesAvx2([[maybe_unused]] KernelLevel level, [[maybe_unused]] std::size_t dim)
{
#if defined(EPITOME_AVX2_KERNELS)
    return level >= KernelLevel::Avx2 && dim % kLane == 0;
#else
    return false;
#endif
}

} // namespace

void addMomentsScalar(double* sums, double* matrix, const StridedVectors& vectors)
{
    const std::size_t dim = vectors.dim;
    for (std::size_t i = 0; i < vectors.count; ++i) {
        const float* vector = &vectors.data[i * vectors.stride];
        for (std::size_t c = 0; c < dim; ++c)
            sums[c] += static_cast<double>(vector[c]);
        for (std::size_t row = 0; matrix != nullptr && row < dim; ++row) {
            const auto factor = static_cast<double>(vector[row]);
            for (std::size_t c = 0; c <= row; ++c)
                matrix[row * dim + c] += factor * static_cast<double>(vector[c]);
        }
    }
}

void quadraticFormsScalar(std::span<float> out, const float* vectors, const QuadraticForm& form)
{
    const std::size_t dim = form.linear.size();
    std::vector<float> product(dim);
    for (std::size_t j = 0; j < out.size(); ++j) {
        const float* vector = vectors + j * dim;
        std::ranges::copy(form.linear, product.begin());
        for (std::size_t row = 0; row * dim < form.matrix.size(); ++row) {
            for (std::size_t c = 0; c < dim; ++c)
                product[c] += form.matrix[row * dim + c] * vector[row];
        }
        out[j] = 0;
        for (std::size_t c = 0; c < dim; ++c)
            out[j] += product[c] * vector[c];
    }
}

void addMomentsWith(KernelLevel level, std::span<double> sums, std::span<double> products,
                    const StridedVectors& vectors)
{
    const std::size_t dim = vectors.dim;
    const bool fits =
        vectors.count == 0 || vectors.data.size() >= (vectors.count - 1) * vectors.stride + dim;
    if (sums.size() != dim || !fits ||
        (!products.empty() && products.size() != dim * (dim + 1) / 2))
        throw std::invalid_argument("addMoments: the sizes do not go together");
    std::vector<double> matrix(products.empty() ? 0 : dim * dim);
    double* const lower = matrix.empty() ? nullptr : matrix.data();
    for (std::size_t row = 0, at = 0; row * dim < matrix.size(); at += ++row)
        std::copy_n(&products[at], row + 1, &matrix[row * dim]);
    if (usesAvx2(level, dim)) {
#if defined(EPITOME_AVX2_KERNELS)
        addMomentsAvx2(sums.data(), lower, vectors);
#endif
    } else {
        addMomentsScalar(sums.data(), lower, vectors);
    }
    for (std::size_t row = 0, at = 0; row * dim < matrix.size(); at += ++row)
        std::copy_n(&matrix[row * dim], row + 1, &products[at]);
}

void quadraticFormsWith(KernelLevel level, std::span<float> out, std::span<const float> vectors,
                        const QuadraticForm& form)
{
    const std::size_t dim = form.linear.size();
    if (vectors.size() != out.size() * dim ||
        (!form.matrix.empty() && form.matrix.size() != dim * dim))
        throw std::invalid_argument("quadraticForms: the sizes do not go together");
    if (!form.matrix.empty() && usesAvx2(level, dim)) {
#if defined(EPITOME_AVX2_KERNELS)
        quadraticFormsAvx2(out, vectors.data(), form);
#endif
    } else {
        quadraticFormsScalar(out, vectors.data(), form);
    }
}

void addMoments(std::span<double> sums, std::span<double> products, const StridedVectors& vectors)
{
    addMomentsWith(bestKernelLevel(), sums, products, vectors);
}

void quadraticForms(std::span<float> out, std::span<const float> vectors, const QuadraticForm& form)
{
    quadraticFormsWith(bestKernelLevel(), out, vectors, form);
}

} // namespace kernels::cpu
