#include "kernels/select.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>

using kernels::cpu::selectTop;
using kernels::cpu::TieRule;
using Indices = std::vector<std::uint32_t>;

TEST_CASE("the largest scores come in ascending order of their places")
{
    const std::vector<float> scores = {0.3F, -1.0F, 0.9F, 0.9F, 0.0F, 0.5F};
    CHECK(selectTop(scores, {}, 3, TieRule::LowerIndex) == Indices{2, 3, 5});
    CHECK(selectTop(scores, {}, 0, TieRule::LowerIndex).empty());
    CHECK(selectTop(scores, {}, 6, TieRule::LowerIndex) == Indices{0, 1, 2, 3, 4, 5});
    CHECK(selectTop(scores, {}, 60, TieRule::HigherIndex).size() == 6);
    CHECK(selectTop({}, {}, 4, TieRule::LowerIndex).empty());
}

TEST_CASE("ties follow the second score, then the declared end")
{
    const std::vector<float> scores = {1.0F, 1.0F, 1.0F, 2.0F, 1.0F};
    const std::vector<float> second = {0.0F, 5.0F, 0.0F, -9.0F, 0.0F};
    CHECK(selectTop(scores, {}, 3, TieRule::LowerIndex) == Indices{0, 1, 3});
    CHECK(selectTop(scores, {}, 3, TieRule::HigherIndex) == Indices{2, 3, 4});
    CHECK(selectTop(scores, second, 2, TieRule::HigherIndex) == Indices{1, 3});
    CHECK(selectTop(scores, second, 3, TieRule::LowerIndex) == Indices{0, 1, 3});
    CHECK(selectTop(scores, second, 3, TieRule::HigherIndex) == Indices{1, 3, 4});
}

TEST_CASE("not-a-number loses, zeros of both signs are equal, infinities order")
{
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    CHECK(selectTop(std::vector<float>{kNan, -1e30F, 1.0F}, {}, 2, TieRule::LowerIndex) ==
          Indices{1, 2});
    CHECK(selectTop(std::vector<float>{kNan, -kInfinity}, {}, 1, TieRule::HigherIndex) ==
          Indices{1});
    CHECK(selectTop(std::vector<float>{-kNan, -kInfinity}, {}, 1, TieRule::LowerIndex) ==
          Indices{0});
    CHECK(selectTop(std::vector<float>{-0.0F, 0.0F}, {}, 1, TieRule::LowerIndex) == Indices{0});
    CHECK(selectTop(std::vector<float>{0.0F, kInfinity, 3e38F}, {}, 1, TieRule::LowerIndex) ==
          Indices{1});
}

TEST_CASE("random scores with many ties agree with a full sort")
{
    std::mt19937 random(3);
    std::uniform_int_distribution<int> few(-3, 3);
    std::vector<float> scores(1000);
    std::vector<float> second(1000);
    for (std::size_t i = 0; i < scores.size(); ++i) {
        scores[i] = static_cast<float>(few(random));
        second[i] = static_cast<float>(few(random));
    }
    for (const TieRule ties : {TieRule::LowerIndex, TieRule::HigherIndex})
        for (const std::size_t count : {1UL, 10UL, 499UL, 999UL}) {
            Indices order(scores.size());
            std::iota(order.begin(), order.end(), 0U);
            if (ties == TieRule::HigherIndex)
                std::ranges::reverse(order);
            std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) {
                return scores[a] != scores[b] ? scores[a] > scores[b] : second[a] > second[b];
            });
            order.resize(count);
            std::ranges::sort(order);
            CHECK(selectTop(scores, second, count, ties) == order);
        }
}

TEST_CASE("second scores of another length are refused")
{
    const std::vector<float> scores(4);
    const std::vector<float> second(3);
    CHECK_THROWS_AS(selectTop(scores, second, 1, TieRule::LowerIndex), std::invalid_argument);
}
