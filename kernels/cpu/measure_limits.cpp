#include "kernels/cpu/measure_limits.h"

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/measure_limits_kernels.h"
#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>

namespace kernels::cpu {
namespace {

constexpr double kSecondsEach = 0.3;

std::uint64_t readAll(const std::byte* from, std::size_t bytes)
{
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < bytes; i += sizeof(std::uint64_t)) {
        std::uint64_t value;
        std::memcpy(&value, from + i, sizeof(value));
        sum ^= value;
    }
    return sum;
}

constexpr std::size_t kScalarSums = 16; // independent, so that latency does not count

float multiplyFloats(std::size_t rounds)
{
    float sums[kScalarSums] = {};
    const float factor = 0.5F + static_cast<float>(rounds % 2) * 0.25F;
    for (std::size_t round = 0; round < rounds; ++round) {
        for (float& sum : sums)
            sum = sum * factor + 1.0F;
    }
    float total = 0.0F;
    for (const float sum : sums)
        total += sum;
    return total;
}

std::int32_t multiplyInt8(std::size_t rounds)
{
    std::uint32_t sums[kScalarSums] = {};
    for (std::size_t round = 0; round < rounds; ++round) {
        const auto a = static_cast<std::int8_t>(round & 0x7FU);
        for (std::size_t i = 0; i < kScalarSums; ++i)
            sums[i] += static_cast<std::uint32_t>(a * static_cast<std::int8_t>(i));
    }
    std::uint32_t total = 0;
    for (const std::uint32_t sum : sums)
        total += sum;
    return static_cast<std::int32_t>(total);
}

LimitKernels bestLimitKernels()
{
#if defined(EPITOME_AVX2_KERNELS)
    if (bestKernelLevel() >= KernelLevel::Avx2)
        return avx2LimitKernels();
#endif
    return scalarLimitKernels();
}

/// Runs `pass` on all threads again and again and gives the best rate of a pass: what others
/// take from the machine at the moment is not its limit.
template <typename Pass>
double bestRate(double workPerPass, Pass pass)
{
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    double best = 0.0;
    double elapsed = 0.0;
    while (elapsed < kSecondsEach) {
        const auto begin = Clock::now();
        pass();
        const auto end = Clock::now();
        const double seconds = std::chrono::duration<double>(end - begin).count();
        best = std::max(best, workPerPass / std::max(seconds, 1e-9));
        elapsed = std::chrono::duration<double>(end - start).count();
    }
    return best;
}

double measureRead(const LimitKernels& kernels, ThreadPool& pool, std::atomic<std::uint64_t>& sink)
{
    constexpr std::size_t kBytes = std::size_t{512} << 20U;
    constexpr std::size_t kPiece = std::size_t{4} << 20U;
    const auto memory = std::make_unique_for_overwrite<std::byte[]>(kBytes);
    std::memset(memory.get(), 1, kBytes); // untouched pages would all be one page of zeros
    return bestRate(static_cast<double>(kBytes), [&] {
        pool.parallelFor(kBytes / kPiece, 1, [&](std::size_t begin, std::size_t end, std::size_t) {
            sink += kernels.readAll(memory.get() + begin * kPiece, (end - begin) * kPiece);
        });
    });
}

} // namespace

LimitKernels scalarLimitKernels()
{
    return {.readAll = readAll,
            .multiplyFloats = multiplyFloats,
            .multiplyInt8 = multiplyInt8,
            .flopsPerRound = 2.0 * kScalarSums,
            .int8OpsPerRound = 2.0 * kScalarSums};
}

MachineLimits measureLimits(ThreadPool& pool)
{
    constexpr std::size_t kRounds = 100'000; // tenths of a millisecond
    constexpr std::size_t kPieces = 8;       // per thread
    const LimitKernels kernels = bestLimitKernels();
    const std::size_t pieces = kPieces * pool.threads();
    const auto rounds = static_cast<double>(kRounds * pieces);
    std::atomic<std::uint64_t> sink{0}; // keeps the loops from being optimised away

    MachineLimits limits;
    limits.fmaFlopsPerSecond = bestRate(rounds * kernels.flopsPerRound, [&] {
        pool.parallelFor(pieces, 1, [&](std::size_t, std::size_t, std::size_t) {
            sink += static_cast<std::uint64_t>(kernels.multiplyFloats(kRounds));
        });
    });
    limits.int8OpsPerSecond = bestRate(rounds * kernels.int8OpsPerRound, [&] {
        pool.parallelFor(pieces, 1, [&](std::size_t, std::size_t, std::size_t) {
            sink += static_cast<std::uint64_t>(kernels.multiplyInt8(kRounds));
        });
    });
    limits.readBytesPerSecond = measureRead(kernels, pool, sink);
    return limits;
}

} // namespace kernels::cpu
