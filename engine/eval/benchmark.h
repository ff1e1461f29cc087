#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace engine {

struct BenchmarkOptions
{
    std::string modelPath; // empty: random weights of the 1B shape at Q8_0
    unsigned threads = 0;
    std::vector<std::uint32_t> prompts{512};
    std::uint32_t generate = 16;
    std::uint32_t depth = 0;               // tokens in the cache before the decode is measured
    std::uint32_t attentionTokens = 16384; // 0 leaves the attention measurement out
    std::uint32_t restoreTokens = 32768;   // 0 leaves the restore measurement out
};

/// One measured thing and the limit of the machine that it is a fraction of.
struct BenchmarkRow
{
    std::string what;
    double seconds = 0;
    double tokensPerSecond = 0; // 0 where it makes no sense
    double achieved = 0;        // in `unit`
    double limit = 0;           // in `unit`
    std::string unit;           // "GB/s", "Gop/s int8", "GFLOP/s", "restores/s"
    double fraction() const { return limit > 0 ? achieved / limit : 0; }
};

struct BenchmarkResult
{
    std::string model;
    std::string device;
    double readGigabytesPerSecond = 0;
    double fmaGigaflops = 0;
    double int8Gigaops = 0;
    std::vector<BenchmarkRow> rows;
};

/// Measures the machine's limits and the model's speed in one run on the same threads: prefill as
/// multiply-adds over the arithmetic peak, decode as bytes read over the read bandwidth, attention
/// over the float32 peak, restoring a stored document over reading its bytes and one decode step.
/// Calls `onRow` as results come. A multiply-add counts as two operations. Throws Error (BadInput
/// for a prompt of no tokens).
BenchmarkResult runBenchmark(const BenchmarkOptions& options,
                             const std::function<void(const BenchmarkRow&)>& onRow);

} // namespace engine
