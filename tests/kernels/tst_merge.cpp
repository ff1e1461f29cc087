#include "kernels/attention.h"

#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <stdexcept>
#include <vector>

namespace {

constexpr std::size_t kDim = 4;
constexpr float kNothing = -std::numeric_limits<float>::infinity();

struct Partial
{
    std::array<float, kDim> out{};
    std::array<float, 1> lse{kNothing};
};

/// Attention of structural.md 1.1's query over its keys [begin, end).
Partial attend(int begin, int end)
{
    constexpr std::array kQuery = {0.5, -1.0, 0.25, 2.0};
    std::array<double, kDim> out{};
    double total = 0.0;
    for (int i = begin; i < end; ++i) {
        double logit = 0.0;
        for (int c = 0; c < 4; ++c)
            logit += kQuery[static_cast<std::size_t>(c)] * std::sin(4 * i + c) / 2.0;
        total += std::exp(logit);
        for (int c = 0; c < 4; ++c)
            out[static_cast<std::size_t>(c)] += std::exp(logit) * std::cos(4 * i + c);
    }
    Partial result;
    result.lse[0] = static_cast<float>(std::log(total));
    for (std::size_t c = 0; c < kDim; ++c)
        result.out[c] = static_cast<float>(out[c] / total);
    return result;
}

} // namespace

TEST_CASE("two halves merge to the whole (structural.md 1.1)")
{
    Partial a = attend(0, 2);
    const Partial b = attend(2, 6);
    CHECK(a.lse[0] == doctest::Approx(1.205126608).epsilon(1e-6));
    CHECK(b.lse[0] == doctest::Approx(1.345788445).epsilon(1e-6));
    kernels::cpu::mergeAttention(a.out, a.lse, b.out, b.lse, kDim);
    const std::array expected = {-0.127489526, 0.222954709, 0.368415413, 0.175156685};
    for (std::size_t c = 0; c < kDim; ++c)
        CHECK(std::abs(static_cast<double>(a.out[c]) - expected[c]) < 1e-6);
    CHECK(std::abs(static_cast<double>(a.lse[0]) - 1.971075890) < 1e-6);
}

TEST_CASE("an empty set changes nothing, and two of them stay empty")
{
    const Partial whole = attend(0, 6);
    Partial merged = whole;
    const Partial empty;
    kernels::cpu::mergeAttention(merged.out, merged.lse, empty.out, empty.lse, kDim);
    CHECK(merged.out == whole.out);
    CHECK(merged.lse == whole.lse);

    Partial other;
    kernels::cpu::mergeAttention(other.out, other.lse, whole.out, whole.lse, kDim);
    CHECK(other.out == whole.out);
    CHECK(other.lse == whole.lse);

    Partial nothing;
    kernels::cpu::mergeAttention(nothing.out, nothing.lse, empty.out, empty.lse, kDim);
    CHECK(nothing.out == std::array<float, kDim>{});
    CHECK(nothing.lse[0] == kNothing);
}

TEST_CASE("very different sums neither overflow nor vanish")
{
    Partial small{.out = {1.0F, 1.0F, 1.0F, 1.0F}, .lse = {-500.0F}};
    const Partial large{.out = {2.0F, 2.0F, 2.0F, 2.0F}, .lse = {900.0F}};
    kernels::cpu::mergeAttention(small.out, small.lse, large.out, large.lse, kDim);
    CHECK(small.out == large.out);
    CHECK(small.lse[0] == 900.0F);
}

TEST_CASE("results of different shape are refused")
{
    Partial a = attend(0, 2);
    const std::vector<float> shorter(3);
    CHECK_THROWS_AS(kernels::cpu::mergeAttention(a.out, a.lse, shorter, a.lse, kDim),
                    std::invalid_argument);
}
