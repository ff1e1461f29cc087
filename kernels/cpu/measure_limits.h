#pragma once

namespace kernels::cpu {

class ThreadPool;

/// What the threads of a pool can do at most, all together; the yardstick of the kernels.
struct MachineLimits
{
    double readBytesPerSecond = 0.0; // reading 512 MiB that no cache holds
    double fmaFlopsPerSecond = 0.0;  // float32; a fused multiply-add counts as 2
    double int8OpsPerSecond = 0.0;   // 8-bit products with 32-bit sums; a multiply-add counts as 2
};

/// Measures for about a second. Without AVX2 the arithmetic limits are those of plain C++ loops.
/// Throws std::bad_alloc when 512 MiB are not to be had.
MachineLimits measureLimits(ThreadPool& pool);

} // namespace kernels::cpu
