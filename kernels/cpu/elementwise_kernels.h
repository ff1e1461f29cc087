#pragma once

// Row functions behind elementwise.h that differ between instruction sets.

#include "kernels/cpu/cpu_features.h"

#include <cstddef>
#include <span>

namespace kernels::cpu {

class ThreadPool;

struct ElementwiseKernels
{
    /// rmsNorm() of one row.
    void (*normaliseRow)(float* out, const float* in, const float* gain, std::size_t cols,
                         float epsilon);
    /// siluMul() of a range. An element's result does not depend on where the range begins.
    void (*siluMul)(float* gate, const float* up, std::size_t count);
};

const ElementwiseKernels& scalarElementwiseKernels();
const ElementwiseKernels& avx2ElementwiseKernels(); // only where the build has them

/// rmsNorm() and siluMul() with a chosen level, which must be one that the processor can run.
void rmsNormWith(KernelLevel level, std::span<float> out, std::span<const float> in,
                 std::span<const float> gain, float epsilon, ThreadPool& pool);
void siluMulWith(KernelLevel level, std::span<float> gate, std::span<const float> up,
                 ThreadPool& pool);

} // namespace kernels::cpu
