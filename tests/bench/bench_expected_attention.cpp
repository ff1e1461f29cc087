// Processor time of what Expected Attention does beside reading, part by part, for the eight layers
// that `epitome bench --methods` has: 9 query heads in 3 groups of 64, blocks of 512 tokens.
// Usage: bench_expected_attention [tokens]

#include "engine/backend/backend.h"
#include "engine/methods/query_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>

namespace {

using namespace engine;

constexpr std::size_t kLayers = 8;
constexpr std::size_t kHeads = 9;
constexpr std::size_t kGroups = 3;
constexpr std::size_t kDim = 64;
constexpr std::size_t kBlock = 512;

std::vector<float> randomFloats(std::size_t count)
{
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    std::ranges::generate(values, [&] { return normal(random); });
    return values;
}

/// Median of nine runs, times what the layers need.
void print(const char* part, std::size_t times, const std::function<void()>& work)
{
    std::vector<double> seconds;
    for (int run = 0; run < 9; ++run) {
        const std::clock_t start = std::clock();
        work();
        seconds.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    std::ranges::sort(seconds);
    std::printf("%-24s %8.2f ms\n", part, seconds[4] * static_cast<double>(times) * 1e3);
}

} // namespace

int main(int argumentCount, char** arguments)
{
    const std::size_t tokens = std::max<std::size_t>(
        kBlock, argumentCount > 1 ? std::strtoul(arguments[1], nullptr, 10) : 4096);
    const auto backend = makeCpuBackend(1, kernels::cpu::Activations::F32);
    std::vector<double> frequencies(kDim / 2);
    for (std::size_t i = 0; i < frequencies.size(); ++i)
        frequencies[i] = std::pow(1e4, -static_cast<double>(2 * i) / kDim);
    const auto rotate = [&](std::span<float> vectors, std::span<const std::int32_t> positions) {
        backend->rope(vectors, positions, frequencies, 1, kDim, kernels::cpu::RopePairing::Halves,
                      1.0F);
    };

    const std::vector<float> queries = randomFloats(kBlock * kHeads * kDim);
    std::vector<QueryStatistics> statistics(kHeads, {kDim, true});
    print("sums", kLayers * (tokens / kBlock), [&] {
        for (std::size_t head = 0; head < kHeads; ++head)
            statistics[head].add(std::span(queries).subspan(head * kDim), kBlock, kHeads * kDim);
    });
    std::vector<double> rotation;
    print("mean rotation", 1,
          [&] { rotation = meanRotation(kDim, static_cast<std::int32_t>(tokens), 512, rotate); });
    std::vector<ExpectedQuery> group(kHeads / kGroups);
    print("expected queries", kLayers * kGroups, [&] {
        for (std::size_t i = 0; i < group.size(); ++i)
            group[i] = expectedQuery(statistics[i], rotation, 1.0);
    });
    const std::vector<float> keys = randomFloats(tokens * kDim);
    float last = 0;
    print("scores", kLayers * kGroups,
          [&] { last += expectedAttentionScores(group, keys, keys, 0.125F).back(); });
    return std::isnan(last) ? 1 : 0;
}
