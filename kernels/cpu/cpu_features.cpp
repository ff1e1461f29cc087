#include "kernels/cpu/cpu_features.h"

namespace kernels::cpu {
namespace {

CpuFeatures detect()
{
    CpuFeatures features;
#if defined(__x86_64__)
    __builtin_cpu_init();
    features.avx2 = __builtin_cpu_supports("avx2") != 0;
    features.fma = __builtin_cpu_supports("fma") != 0;
    features.f16c = __builtin_cpu_supports("f16c") != 0;
#endif
    return features;
}

} // namespace

const CpuFeatures& cpuFeatures()
{
    static const CpuFeatures features = detect();
    return features;
}

KernelLevel bestKernelLevel()
{
#if defined(EPITOME_AVX2_KERNELS)
    const CpuFeatures& features = cpuFeatures();
    if (features.avx2 && features.fma && features.f16c)
        return KernelLevel::Avx2;
#endif
    return KernelLevel::Scalar;
}

} // namespace kernels::cpu
