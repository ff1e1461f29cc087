// Speed of attention beside the limits of the machine, one line per case.
// Usage: bench_attention [threads]

#include "kernels/cpu/measure_limits.h"
#include "kernels/cpu/thread_pool.h"
#include "tests/kernels/attention_support.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

using kernels::EntryRange;
using kernels::KvType;
using kernels::cpu::MachineLimits;
using kernels::cpu::ThreadPool;
using tests::OwnedList;
using tests::Problem;

constexpr std::size_t kHeads = 32;
constexpr std::size_t kKvHeads = 8;
constexpr std::size_t kHeadDim = 64;
constexpr std::size_t kChunkRows = 512;
constexpr std::size_t kDecodeDepth = 16384;

struct NamedType
{
    KvType type;
    const char* name;
};

constexpr std::array kTypes = {NamedType{KvType::F32, "f32"}, NamedType{KvType::F16, "f16"},
                               NamedType{KvType::Int8, "int8"}, NamedType{KvType::Kivi4, "kivi4"},
                               NamedType{KvType::Kivi2, "kivi2"}};

/// The fastest of several runs: other programs only ever make a run slower.
template <class Work>
double bestSeconds(std::size_t runs, Work work)
{
    double best = 1e30;
    for (std::size_t i = 0; i < runs; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        best = std::min(best, seconds.count());
    }
    return best;
}

void attend(const Problem& problem, std::vector<float>& out, ThreadPool& pool)
{
    out.resize(problem.q.size());
    kernels::cpu::attention(out, {}, problem.q, problem.lists, problem.visible, problem.shape,
                            pool);
}

/// Four chunks of a causal prefill, spread over the document: their mean is that of all.
void benchPrefill(const NamedType& type, std::size_t tokens, const MachineLimits& limits,
                  ThreadPool& pool)
{
    std::vector<std::size_t> lengths(kKvHeads, tokens);
    Problem problem = tests::makeProblem(type.type, kChunkRows, kHeads, lengths, kHeadDim, 1);
    std::vector<float> out;
    double seconds = 0.0;
    double flops = 0.0;
    for (const std::size_t eighth : {1, 3, 5, 7}) {
        const std::size_t begin = tokens * eighth / 8 - kChunkRows / 2;
        for (std::size_t i = 0; i < problem.visible.size(); ++i)
            problem.visible[i].end = static_cast<std::uint32_t>(begin + i / kKvHeads + 1);
        for (std::size_t row = 0; row < kChunkRows; ++row)
            flops += 4.0 * kHeads * kHeadDim * static_cast<double>(begin + row + 1);
        seconds += bestSeconds(3, [&] { attend(problem, out, pool); });
    }
    std::printf("prefill %6zu tokens  %-5s  %7.1f GFLOP/s  %4.1f %% of peak\n", tokens, type.name,
                flops / seconds * 1e-9, 100.0 * flops / seconds / limits.fmaFlopsPerSecond);
    std::fflush(stdout);
}

/// One new row at a depth; several layers, so that no cache holds what is read.
void benchDecode(const NamedType& type, const MachineLimits& limits, ThreadPool& pool)
{
    constexpr std::size_t kLayers = 4;
    const std::vector<std::size_t> lengths(kKvHeads, kDecodeDepth);
    Problem problem = tests::makeProblem(type.type, 1, kHeads, lengths, kHeadDim, 1);
    const std::vector<float> keys = tests::randomFloats(kDecodeDepth * kHeadDim, 7);
    const std::vector<float> values = tests::randomFloats(kDecodeDepth * kHeadDim, 8);
    std::vector<OwnedList> lists;
    for (std::size_t i = 0; i < kLayers * kKvHeads; ++i)
        lists.emplace_back(type.type, keys, values, kHeadDim);
    std::vector<float> out;
    const double seconds = bestSeconds(10, [&] {
        for (std::size_t layer = 0; layer < kLayers; ++layer) {
            for (std::size_t head = 0; head < kKvHeads; ++head)
                problem.lists[head] = lists[layer * kKvHeads + head].view();
            attend(problem, out, pool);
        }
    });
    const std::size_t pages = kLayers * kKvHeads * kDecodeDepth / kernels::kPageRows;
    const double bytes =
        static_cast<double>(pages * (kernels::keyPageBytes(type.type, kHeadDim) +
                                     kernels::valuePageBytes(type.type, kHeadDim)));
    std::printf("decode at %zu       %-5s  %7.1f GB/s  %4.1f %% of read  %8.1f us a layer\n",
                kDecodeDepth, type.name, bytes / seconds * 1e-9,
                100.0 * bytes / seconds / limits.readBytesPerSecond,
                seconds / static_cast<double>(kLayers) * 1e6);
    std::fflush(stdout);
}

} // namespace

int main(int argumentCount, char** arguments)
{
    std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
    if (argumentCount > 1)
        threads = std::max(1UL, std::strtoul(arguments[1], nullptr, 10));
    ThreadPool pool(threads);
    const MachineLimits limits = kernels::cpu::measureLimits(pool);
    std::printf("%zu threads: %.1f GFLOP/s float32, %.1f GB/s read; heads %zu/%zu x %zu\n", threads,
                limits.fmaFlopsPerSecond * 1e-9, limits.readBytesPerSecond * 1e-9, kHeads, kKvHeads,
                kHeadDim);
    for (const NamedType& type : kTypes)
        for (const std::size_t tokens : {2048, 8192, 16384})
            benchPrefill(type, tokens, limits, pool);
    for (const NamedType& type : kTypes)
        benchDecode(type, limits, pool);
    return 0;
}
