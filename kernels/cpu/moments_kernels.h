#pragma once

// Variants behind moments.h.

#include "kernels/cpu/cpu_features.h"
#include "kernels/moments.h"

namespace kernels::cpu {

/// Adds vectors to `sums` (dim) and outer products to the lower half of a matrix (dim, dim), or
/// only the former where `matrix` is null.
void addMomentsScalar(double* sums, double* matrix, const StridedVectors& vectors);
/// The same; dim is a multiple of 8. Only where the build has it.
void addMomentsAvx2(double* sums, double* matrix, const StridedVectors& vectors);

/// The matrix may be empty, which is zero.
void quadraticFormsScalar(std::span<float> out, const float* vectors, const QuadraticForm& form);
/// The same with a matrix; dim is a multiple of 8. Only where the build has it.
void quadraticFormsAvx2(std::span<float> out, const float* vectors, const QuadraticForm& form);

/// moments.h with a chosen level, which must be one that the processor can run.
void addMomentsWith(KernelLevel level, std::span<double> sums, std::span<double> products,
                    const StridedVectors& vectors);
void quadraticFormsWith(KernelLevel level, std::span<float> out, std::span<const float> vectors,
                        const QuadraticForm& form);

} // namespace kernels::cpu
