#include "kernels/cpu/elementwise_kernels.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/elementwise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <random>
#include <stdexcept>
#include <vector>

namespace {

using kernels::cpu::KernelLevel;
using kernels::cpu::RopePairing;
using kernels::cpu::ThreadPool;

std::vector<float> randomValues(std::size_t count, float spread, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0F, spread);
    std::vector<float> values(count);
    std::ranges::generate(values, [&] { return normal(random); });
    return values;
}

/// theta^(-2i / rotated), the unscaled frequencies of RoPE.
std::vector<double> frequencies(double theta, std::size_t rotated)
{
    std::vector<double> result(rotated / 2);
    for (std::size_t i = 0; i < result.size(); ++i)
        result[i] = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotated));
    return result;
}

std::vector<KernelLevel> levels()
{
    if (kernels::cpu::bestKernelLevel() >= KernelLevel::Avx2)
        return {KernelLevel::Scalar, KernelLevel::Avx2};
    return {KernelLevel::Scalar};
}

bool sameBits(std::span<const float> a, std::span<const float> b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

} // namespace

TEST_CASE("rmsNorm follows its formula at every width and level")
{
    ThreadPool pool(2);
    for (const std::size_t cols : {1U, 7U, 8U, 64U, 515U, 20000U}) {
        const std::size_t rows = 3;
        const auto in = randomValues(rows * cols, 2.0F, 1);
        const auto gain = randomValues(cols, 1.0F, 2);
        for (const KernelLevel level : levels()) {
            std::vector<float> out(in.size());
            kernels::cpu::rmsNormWith(level, out, in, gain, 1e-5F, pool);
            for (std::size_t row = 0; row < rows; ++row) {
                double squares = 0.0;
                for (std::size_t i = 0; i < cols; ++i)
                    squares += std::pow(static_cast<double>(in[row * cols + i]), 2.0);
                const double factor = 1.0 / std::sqrt(squares / static_cast<double>(cols) + 1e-5);
                for (std::size_t i = 0; i < cols; ++i) {
                    const double expected = static_cast<double>(in[row * cols + i]) * factor *
                                            static_cast<double>(gain[i]);
                    CHECK(static_cast<double>(out[row * cols + i]) ==
                          doctest::Approx(expected).epsilon(1e-6));
                }
            }
        }
    }
}

TEST_CASE("rmsNorm in place equals rmsNorm into another buffer")
{
    ThreadPool pool(1);
    auto values = randomValues(4 * 33, 1.0F, 3);
    const auto gain = randomValues(33, 1.0F, 4);
    std::vector<float> out(values.size());
    kernels::cpu::rmsNorm(out, values, gain, 1e-6F, pool);
    kernels::cpu::rmsNorm(values, values, gain, 1e-6F, pool);
    CHECK(sameBits(values, out));
}

TEST_CASE("siluMul follows its formula from deep negative to large values")
{
    ThreadPool pool(1);
    std::vector<float> gate;
    for (int i = -4000; i <= 4003; ++i)
        gate.push_back(static_cast<float>(i) * 0.01F);
    gate.insert(gate.end(), {-100.0F, -88.5F, -87.0F, 87.0F, 100.0F, 1e30F, 0.0F, -0.0F});
    const auto up = randomValues(gate.size(), 1.0F, 5);
    for (const KernelLevel level : levels()) {
        std::vector<float> out = gate;
        kernels::cpu::siluMulWith(level, out, up, pool);
        for (std::size_t i = 0; i < gate.size(); ++i) {
            const auto x = static_cast<double>(gate[i]);
            const double expected = x / (1.0 + std::exp(-x)) * static_cast<double>(up[i]);
            const double error = std::fabs(static_cast<double>(out[i]) - expected);
            CAPTURE(x);
            CHECK(error <= 4e-7 * std::fabs(expected) + 1e-34);
        }
    }
}

TEST_CASE("add and addBias")
{
    ThreadPool pool(2);
    std::vector<float> x(40000, 1.5F);
    std::vector<float> y(40000);
    for (std::size_t i = 0; i < y.size(); ++i)
        y[i] = static_cast<float>(i % 100);
    kernels::cpu::add(x, y, pool);
    const std::vector<float> bias{0.25F, -1.0F, 8.0F, 0.0F};
    kernels::cpu::addBias(x, bias, pool);
    for (std::size_t i = 0; i < x.size(); ++i)
        REQUIRE(x[i] == 1.5F + static_cast<float>(i % 100) + bias[i % 4]);
}

TEST_CASE("a row's result depends neither on the other rows nor on the number of threads")
{
    constexpr std::size_t kCols = 1003;
    constexpr std::size_t kRows = 70;
    ThreadPool one(1);
    ThreadPool three(3);
    const auto in = randomValues(kRows * kCols, 3.0F, 6);
    const auto gain = randomValues(kCols, 1.0F, 7);
    const auto run = [&](std::size_t first, std::size_t rows, ThreadPool& pool) {
        std::vector<float> x(in.begin() + static_cast<std::ptrdiff_t>(first * kCols),
                             in.begin() + static_cast<std::ptrdiff_t>((first + rows) * kCols));
        const std::vector<float> up = x;
        kernels::cpu::rmsNorm(x, x, gain, 1e-5F, pool);
        kernels::cpu::siluMul(x, up, pool);
        std::vector<std::int32_t> positions(rows);
        for (std::size_t i = 0; i < rows; ++i)
            positions[i] = static_cast<std::int32_t>(first + i);
        kernels::cpu::rope(x, positions, frequencies(1e4, 16), 17, 59, RopePairing::Halves, 1.0F,
                           pool);
        return x;
    };
    const auto all = run(0, kRows, one);
    CHECK(sameBits(all, run(0, kRows, three)));
    for (const std::size_t rows : {1U, 3U, 50U}) {
        const auto part = run(5, rows, three);
        CHECK(sameBits(part, std::span(all).subspan(5 * kCols, rows * kCols)));
    }
}

TEST_CASE("rope: known rotations of a four-element key, moved to another slot (selection.md 6.10b)")
{
    ThreadPool pool(1);
    const std::vector<float> key{1.0F, 2.0F, 3.0F, 4.0F};
    const auto rotate = [&](std::vector<float> x, std::int32_t position) {
        kernels::cpu::rope(x, std::array{position}, frequencies(1e4, 4), 1, 4, RopePairing::Halves,
                           1.0F, pool);
        return x;
    };
    const auto check = [](const std::vector<float>& x, const std::array<double, 4>& expected) {
        for (std::size_t i = 0; i < 4; ++i)
            CHECK(std::fabs(static_cast<double>(x[i]) - expected[i]) < 2e-6);
    };
    const auto at7 = rotate(key, 7);
    check(at7, {-1.217058, 1.715331, 2.918693, 4.130090});
    check(rotate(at7, 2 - 7), {-3.144039, 1.919605, -0.339143, 4.039197});
    check(rotate(key, 2), {-3.144039, 1.919605, -0.339143, 4.039197});
}

TEST_CASE("rope: rotating from 5 to 12 equals rotating to 12 at once, for both pairings")
{
    ThreadPool pool(2);
    for (const RopePairing pairing : {RopePairing::Interleaved, RopePairing::Halves}) {
        constexpr std::size_t kHeads = 3;
        constexpr std::size_t kHeadDim = 64;
        const auto start = randomValues(2 * kHeads * kHeadDim, 1.0F, 8);
        const auto rotate = [&](std::vector<float>& x, std::int32_t position) {
            kernels::cpu::rope(x, std::array{position, position}, frequencies(5e5, kHeadDim),
                               kHeads, kHeadDim, pairing, 1.0F, pool);
        };
        auto twice = start;
        rotate(twice, 5);
        rotate(twice, 7);
        auto once = start;
        rotate(once, 12);
        for (std::size_t i = 0; i < once.size(); ++i)
            CHECK(std::fabs(once[i] - twice[i]) < 1e-6F * 4.0F);
    }
}

TEST_CASE("rope: pairing, partial rotation, magnitude and large positions")
{
    ThreadPool pool(1);
    constexpr std::size_t kHeadDim = 12;
    constexpr std::size_t kRotated = 8;
    const auto start = randomValues(2 * kHeadDim, 1.0F, 9);
    const auto table = frequencies(1e6, kRotated);
    constexpr std::int32_t kPosition = 1'000'003;
    for (const RopePairing pairing : {RopePairing::Interleaved, RopePairing::Halves}) {
        auto x = start;
        kernels::cpu::rope(x, std::array{kPosition}, table, 2, kHeadDim, pairing, 1.19F, pool);
        for (std::size_t head = 0; head < 2; ++head) {
            const float* from = start.data() + head * kHeadDim;
            const float* to = x.data() + head * kHeadDim;
            for (std::size_t i = 0; i < kRotated / 2; ++i) {
                const bool neighbours = pairing == RopePairing::Interleaved;
                const std::size_t first = neighbours ? 2 * i : i;
                const std::size_t second = neighbours ? 2 * i + 1 : i + kRotated / 2;
                const double angle = static_cast<double>(kPosition) * table[i];
                const double c = std::cos(angle) * 1.19;
                const double s = std::sin(angle) * 1.19;
                const auto a = static_cast<double>(from[first]);
                const auto b = static_cast<double>(from[second]);
                CHECK(std::fabs(static_cast<double>(to[first]) - (a * c - b * s)) < 1e-6);
                CHECK(std::fabs(static_cast<double>(to[second]) - (a * s + b * c)) < 1e-6);
            }
            for (std::size_t i = kRotated; i < kHeadDim; ++i)
                CHECK(to[i] == from[i]);
        }
    }
}

TEST_CASE("rope: a product of query and key depends on their distance alone")
{
    ThreadPool pool(1);
    constexpr std::size_t kHeadDim = 32;
    const auto dot = [&](std::int32_t queryPosition, std::int32_t keyPosition) {
        auto query = randomValues(kHeadDim, 1.0F, 10);
        auto key = randomValues(kHeadDim, 1.0F, 11);
        const auto table = frequencies(1e4, kHeadDim);
        kernels::cpu::rope(query, std::array{queryPosition}, table, 1, kHeadDim,
                           RopePairing::Halves, 1.0F, pool);
        kernels::cpu::rope(key, std::array{keyPosition}, table, 1, kHeadDim, RopePairing::Halves,
                           1.0F, pool);
        double sum = 0.0;
        for (std::size_t i = 0; i < kHeadDim; ++i)
            sum += static_cast<double>(query[i]) * static_cast<double>(key[i]);
        return sum;
    };
    CHECK(dot(100, 93) == doctest::Approx(dot(7, 0)).epsilon(1e-5));
    CHECK(std::fabs(dot(100, 93) - dot(100, 90)) > 1e-3);
}

TEST_CASE("operands that do not fit are refused, empty ones are fine")
{
    ThreadPool pool(1);
    std::vector<float> six(6);
    std::vector<float> four(4);
    std::vector<float> none;
    CHECK_THROWS_AS(kernels::cpu::add(six, four, pool), std::invalid_argument);
    CHECK_THROWS_AS(kernels::cpu::addBias(six, four, pool), std::invalid_argument);
    CHECK_THROWS_AS(kernels::cpu::siluMul(six, four, pool), std::invalid_argument);
    CHECK_THROWS_AS(kernels::cpu::rmsNorm(six, six, four, 1e-5F, pool), std::invalid_argument);
    CHECK_THROWS_AS(kernels::cpu::rope(six, std::array{1}, frequencies(1e4, 8), 1, 6,
                                       RopePairing::Halves, 1.0F, pool),
                    std::invalid_argument);
    CHECK_NOTHROW(kernels::cpu::rmsNorm(none, none, four, 1e-5F, pool));
    CHECK_NOTHROW(kernels::cpu::addBias(none, none, pool));
    CHECK_NOTHROW(kernels::cpu::siluMul(none, none, pool));
}
