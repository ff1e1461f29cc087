#pragma once

namespace kernels::cpu {

/// Instruction sets that this processor and operating system both support.
struct CpuFeatures
{
    bool avx2 = false;
    bool fma = false;
    bool f16c = false;
    bool avx512 = false; // F, BW, DQ, VL and VNNI
};

/// Asked once, at the first call.
const CpuFeatures& cpuFeatures();

/// Which variant of the kernels computes, each level with what the ones before it have. Scalar runs
/// everywhere and is the reference of the tests; Avx512 gives the bits of Avx2.
enum class KernelLevel
{
    Scalar,
    Avx2,  // AVX2, FMA and F16C
    Avx512 // and AVX-512 F, BW, DQ, VL and VNNI, for the kernels that gain by it; the others take
           // Avx2
};

/// The fastest level that this processor can run and this build contains.
KernelLevel bestKernelLevel();

} // namespace kernels::cpu
