// What MInference's patterns read against the choices of its own code, on numbers of a small
// generator (patterns.py has the same).

#include "engine/methods/sparse_pattern.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace {

using List = std::vector<std::uint32_t>;

constexpr std::size_t kBlock = 64;
constexpr std::size_t kLastRows = 64;

nlohmann::json readData()
{
    std::ifstream stream(std::filesystem::path(SOURCE_DIR) / "tests" / "oracle" / "data" /
                         "patterns.json");
    return nlohmann::json::parse(stream);
}

std::vector<float> numbers(std::uint32_t seed, std::size_t count, float factor)
{
    std::vector<float> drawn(count);
    for (float& each : drawn) {
        seed = seed * 1664525U + 1013904223U;
        each = factor * (static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F);
    }
    return drawn;
}

/// Causal attention weights of the last rows.
std::vector<float> weightsOf(const std::vector<float>& query, const std::vector<float>& key,
                             std::size_t tokens, std::size_t dim)
{
    std::vector<float> weights(kLastRows * kernels::weightStride(tokens));
    for (std::size_t row = 0; row < kLastRows; ++row) {
        const std::size_t own = tokens - kLastRows + row;
        std::vector<double> each(own + 1);
        double sum = 0;
        for (std::size_t j = 0; j <= own; ++j) {
            double product = 0;
            for (std::size_t c = 0; c < dim; ++c)
                product += static_cast<double>(query[own * dim + c]) *
                           static_cast<double>(key[j * dim + c]);
            each[j] = std::exp(product / std::sqrt(static_cast<double>(dim)));
            sum += each[j];
        }
        for (std::size_t j = 0; j <= own; ++j)
            weights[row * kernels::weightStride(tokens) + j] = static_cast<float>(each[j] / sum);
    }
    return weights;
}

std::vector<float> blockMeans(const std::vector<float>& values, std::size_t dim)
{
    std::vector<float> means(values.size() / kBlock);
    for (std::size_t i = 0; i < values.size(); ++i)
        means[i / (kBlock * dim) * dim + i % dim] += values[i] / static_cast<float>(kBlock);
    return means;
}

} // namespace

TEST_CASE("columns and slashes are those of MInference's own code")
{
    const auto data = readData();
    const auto tokens = data["tokens"].get<std::size_t>();
    const auto dim = data["dim"].get<std::size_t>();
    const auto weights =
        weightsOf(numbers(11, tokens * dim, 3), numbers(22, tokens * dim, 2), tokens, dim);
    const engine::PatternSums sums = engine::patternSums({weights, kLastRows, tokens});
    for (const auto& one : data["lines"]) {
        const auto vertical = one["vertical"].get<std::size_t>();
        const auto slash = one["slash"].get<std::size_t>();
        CAPTURE(vertical);
        CAPTURE(slash);
        const auto ours = engine::chooseVerticalSlash(sums, vertical, slash, 30, 100);
        CHECK(ours.columns == one["columns"].get<List>());
        CHECK(ours.slashes == one["slashes"].get<List>());
    }
    CHECK(data["lines"].size() == 5);
}

TEST_CASE("blocks are those of MInference's own code beside the two that are certain here")
{
    const auto data = readData();
    const auto tokens = data["tokens"].get<std::size_t>();
    const auto dim = data["dim"].get<std::size_t>();
    const auto queries = blockMeans(numbers(11, tokens * dim, 3), dim);
    const auto keys = blockMeans(numbers(22, tokens * dim, 2), dim);
    const auto ranking = data["blocks"].get<std::vector<List>>();
    REQUIRE(ranking.size() == tokens / kBlock);
    for (const std::size_t count : {1U, 2U, 4U, 7U, 20U}) {
        const auto ours = engine::blockPattern(queries, keys, dim, count, {0, tokens});
        for (std::uint32_t tile = 0; tile < ranking.size(); ++tile) {
            List expected{0};
            if (tile > 0)
                expected.push_back(tile);
            for (const std::uint32_t block : ranking[tile])
                if (expected.size() < count && std::ranges::find(expected, block) == expected.end())
                    expected.push_back(block);
            std::ranges::sort(expected);
            CAPTURE(count);
            CAPTURE(tile);
            CHECK(ours.pages[tile] == expected);
        }
    }
}
