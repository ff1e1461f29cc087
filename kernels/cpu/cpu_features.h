#pragma once

namespace kernels::cpu {

/// Instruction sets that this processor and operating system both support.
struct CpuFeatures
{
    bool avx2 = false;
    bool fma = false;
    bool f16c = false;
};

/// Asked once, at the first call.
const CpuFeatures& cpuFeatures();

/// Which variant of the kernels computes. Scalar runs everywhere and is the reference of the tests.
enum class KernelLevel
{
    Scalar,
    Avx2 // AVX2, FMA and F16C
};

/// The fastest level that this processor can run and this build contains.
KernelLevel bestKernelLevel();

} // namespace kernels::cpu
