#include "kernels/cpu/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace kernels::cpu {
namespace {

#if defined(__x86_64__)
/// Leaf 1 of cpuid: not every compiler's __builtin_cpu_supports knows the name of this one.
bool supportsF16c()
{
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & unsigned{bit_F16C}) != 0;
}
#endif

CpuFeatures detect()
{
    CpuFeatures features;
#if defined(__x86_64__)
    __builtin_cpu_init();
    features.avx2 = static_cast<bool>(__builtin_cpu_supports("avx2"));
    features.fma = static_cast<bool>(__builtin_cpu_supports("fma"));
    features.f16c = supportsF16c();
    features.avx512 = static_cast<bool>(__builtin_cpu_supports("avx512f")) &&
                      static_cast<bool>(__builtin_cpu_supports("avx512bw")) &&
                      static_cast<bool>(__builtin_cpu_supports("avx512dq")) &&
                      static_cast<bool>(__builtin_cpu_supports("avx512vl")) &&
                      static_cast<bool>(__builtin_cpu_supports("avx512vnni"));
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
        return features.avx512 ? KernelLevel::Avx512 : KernelLevel::Avx2;
#endif
    return KernelLevel::Scalar;
}

} // namespace kernels::cpu
