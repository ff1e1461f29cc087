// Compactor's leverage scores with a sketch against kvpress, on numbers of a small generator
// (leverage.py has the same).

#include "engine/methods/leverage.h"

#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace {

const std::filesystem::path kData =
    std::filesystem::path(SOURCE_DIR) / "tests" / "oracle" / "data" / "leverage.json";

template <typename Number>
std::vector<Number> numbers(std::uint32_t seed, std::size_t count)
{
    std::vector<Number> drawn(count);
    for (Number& each : drawn) {
        seed = seed * 1664525U + 1013904223U;
        each = static_cast<Number>(seed >> 8U) / 8388608 - 1;
    }
    return drawn;
}

} // namespace

TEST_CASE("leverage through a sketch that loses dimensions, and through one that does not")
{
    std::ifstream stream(kData);
    const auto data = nlohmann::json::parse(stream);
    const auto dim = data["dim"].get<std::size_t>();
    const auto keys = numbers<float>(22, data["tokens"].get<std::size_t>() * dim);
    for (const auto& one : data["cases"]) {
        const auto columns = one["columns"].get<std::size_t>();
        std::vector<double> sketch = numbers<double>(7, dim * columns);
        for (double& each : sketch)
            each /= std::sqrt(static_cast<double>(columns));
        const auto ours = engine::leverageScores(keys, dim, sketch);
        const auto theirs = one["scores"].get<std::vector<double>>();
        REQUIRE(ours.size() == theirs.size());
        for (std::size_t i = 0; i < ours.size(); ++i) {
            INFO(columns, " columns, token ", i);
            CHECK(static_cast<double>(ours[i]) == doctest::Approx(theirs[i]).epsilon(1e-4));
        }
    }
    CHECK(data["cases"].size() == 3);
}
