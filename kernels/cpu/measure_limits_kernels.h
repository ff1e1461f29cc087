#pragma once

#include <cstddef>
#include <cstdint>

namespace kernels::cpu {

/// Loops that keep one core busy. Each gives a value that depends on all of its work.
struct LimitKernels
{
    std::uint64_t (*readAll)(const std::byte* from, std::size_t bytes); // bytes: multiple of 256
    float (*multiplyFloats)(std::size_t rounds);
    std::int32_t (*multiplyInt8)(std::size_t rounds);
    double flopsPerRound = 0.0;
    double int8OpsPerRound = 0.0;
};

LimitKernels scalarLimitKernels();
LimitKernels avx2LimitKernels(); // only where the build has them

} // namespace kernels::cpu
