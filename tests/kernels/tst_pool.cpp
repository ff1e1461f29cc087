#include "kernels/pool.h"

#include <array>
#include <doctest/doctest.h>
#include <stdexcept>
#include <vector>

using kernels::cpu::PoolEdge;

TEST_CASE("averages shrink towards zero at the edges, or count what is there")
{
    const std::array<float, 5> scores = {5.0F, 1.0F, -3.0F, 7.0F, 2.0F};
    std::array<float, 5> out{};
    kernels::cpu::avgPool(out, scores, 3, PoolEdge::Zeros);
    CHECK(out == std::array<float, 5>{2.0F, 1.0F, 5.0F / 3.0F, 2.0F, 3.0F});
    kernels::cpu::avgPool(out, scores, 3, PoolEdge::Valid);
    CHECK(out == std::array<float, 5>{3.0F, 1.0F, 5.0F / 3.0F, 2.0F, 4.5F});
    kernels::cpu::avgPool(out, scores, 1, PoolEdge::Zeros);
    CHECK(out == scores);
}

TEST_CASE("maxima ignore what is beyond the edges, also when everything is negative")
{
    const std::array<float, 5> scores = {-5.0F, -1.0F, -3.0F, -7.0F, -2.0F};
    std::array<float, 5> out{};
    kernels::cpu::maxPool(out, scores, 3);
    CHECK(out == std::array<float, 5>{-1.0F, -1.0F, -1.0F, -2.0F, -2.0F});
    kernels::cpu::maxPool(out, scores, 99);
    CHECK(out == std::array<float, 5>{-1.0F, -1.0F, -1.0F, -1.0F, -1.0F});
}

TEST_CASE("an even window or a wrong size is refused; no scores give none")
{
    const std::vector<float> scores(4);
    std::vector<float> out(4);
    CHECK_THROWS_AS(kernels::cpu::maxPool(out, scores, 2), std::invalid_argument);
    CHECK_THROWS_AS(kernels::cpu::avgPool(std::span(out).first(3), scores, 3, PoolEdge::Zeros),
                    std::invalid_argument);
    CHECK_NOTHROW(kernels::cpu::maxPool({}, {}, 3));
}
