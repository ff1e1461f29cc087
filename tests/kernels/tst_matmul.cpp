#include "kernels/cpu/matmul_kernels.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/formats/quantise.h"
#include "kernels/matmul.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

namespace {

using kernels::WeightType;
using kernels::WeightView;
using kernels::cpu::Activations;
using kernels::cpu::KernelLevel;
using kernels::cpu::MatmulScratch;
using kernels::cpu::ThreadPool;

constexpr std::array kTypes{WeightType::F32, WeightType::F16, WeightType::BF16, WeightType::Q8_0,
                            WeightType::Q4_0};

struct Shape
{
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::size_t tokens = 0;
};

/// A random problem; the weights are stored in `type`.
struct Problem
{
    Problem(WeightType type, const Shape& shapeOf)
        : shape(shapeOf)
        , in(shape.tokens * shape.cols)
        , bytes(shape.rows * kernels::rowBytes(type, shape.cols))
        , view{bytes.data(), type, shape.rows, shape.cols}
    {
        std::mt19937 random(static_cast<unsigned>(shape.rows * 31 + shape.cols * 7 + 5));
        std::normal_distribution<float> normal;
        for (float& value : in)
            value = normal(random);
        const std::size_t stride = kernels::rowBytes(type, shape.cols);
        std::vector<float> row(shape.cols);
        for (std::size_t i = 0; i < shape.rows; ++i) {
            for (float& value : row)
                value = 0.1F * normal(random);
            kernels::quantiseRow({bytes.data() + i * stride, stride}, row, type);
        }
    }

    Shape shape;
    std::vector<float> in;
    std::vector<std::byte> bytes;
    WeightView view;
};

std::vector<float> multiply(KernelLevel level, const Problem& problem, std::size_t firstToken,
                            std::size_t tokens, Activations activations, ThreadPool& pool)
{
    const std::size_t cols = problem.shape.cols;
    std::vector<float> out(tokens * problem.shape.rows, -77.0F);
    MatmulScratch scratch;
    kernels::cpu::matmulWith(level, out,
                             std::span(problem.in).subspan(firstToken * cols, tokens * cols),
                             problem.view, tokens, activations, scratch, pool);
    return out;
}

std::vector<float> multiplyAll(KernelLevel level, const Problem& problem, Activations activations,
                               ThreadPool& pool)
{
    return multiply(level, problem, 0, problem.shape.tokens, activations, pool);
}

/// One token's activations rounded as the 8-bit path promises: blocks of 32, scale = largest / 127.
std::vector<double> rounded(std::span<const float> in)
{
    std::vector<double> result(in.size());
    for (std::size_t begin = 0; begin < in.size(); begin += 32) {
        float largest = 0.0F;
        for (std::size_t i = begin; i < begin + 32; ++i)
            largest = std::max(largest, std::fabs(in[i]));
        const float scale = largest / 127.0F;
        for (std::size_t i = begin; i < begin + 32; ++i) {
            const float quant = scale > 0.0F ? std::nearbyint(in[i] * (1.0F / scale)) : 0.0F;
            result[i] = static_cast<double>(quant) * static_cast<double>(scale);
        }
    }
    return result;
}

/// The plain double loop that every kernel has to come close to. `magnitude` is the sum of absolute
/// products.
struct Expected
{
    std::vector<double> values;
    std::vector<double> magnitudes;
};

Expected naive(const Problem& problem, Activations activations)
{
    const Shape& shape = problem.shape;
    const bool int8 =
        activations == Activations::Int8 && kernels::blockShape(problem.view.type).elements > 1;
    std::vector<float> weights(shape.cols);
    Expected expected{std::vector<double>(shape.tokens * shape.rows),
                      std::vector<double>(shape.tokens * shape.rows)};
    for (std::size_t token = 0; token < shape.tokens; ++token) {
        const auto in = std::span(problem.in).subspan(token * shape.cols, shape.cols);
        const std::vector<double> activation =
            int8 ? rounded(in) : std::vector<double>(in.begin(), in.end());
        for (std::size_t row = 0; row < shape.rows; ++row) {
            kernels::cpu::dequantiseRow(weights, problem.view, row);
            for (std::size_t i = 0; i < shape.cols; ++i) {
                const double product = activation[i] * static_cast<double>(weights[i]);
                expected.values[token * shape.rows + row] += product;
                expected.magnitudes[token * shape.rows + row] += std::fabs(product);
            }
        }
    }
    return expected;
}

double worstRelativeError(const std::vector<float>& values, const Expected& expected)
{
    double worst = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double error = std::fabs(static_cast<double>(values[i]) - expected.values[i]);
        worst = std::max(worst, error / (expected.magnitudes[i] + 1e-30));
    }
    return worst;
}

bool sameBits(std::span<const float> a, std::span<const float> b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::vector<KernelLevel> levels()
{
    std::vector<KernelLevel> all;
    for (const KernelLevel level : {KernelLevel::Scalar, KernelLevel::Avx2, KernelLevel::Avx512}) {
        if (level <= kernels::cpu::bestKernelLevel())
            all.push_back(level);
    }
    return all;
}

/// Around the sizes of tiles, panels, groups and chunks. Columns are multiples of 32 for the
/// quantised types.
const std::vector<Shape> kQuantisedShapes{{1, 32, 1},   {7, 64, 2},    {16, 96, 3},   {17, 288, 4},
                                          {70, 544, 7}, {129, 32, 97}, {65, 1088, 13}};
const std::vector<Shape> kFloatShapes{{1, 1, 1},     {3, 7, 2},      {5, 8, 3},  {9, 515, 4},
                                      {66, 40, 100}, {33, 1031, 11}, {8, 512, 6}};

std::vector<Shape> shapesFor(WeightType type)
{
    return kernels::blockShape(type).elements > 1 ? kQuantisedShapes : kFloatShapes;
}

} // namespace

TEST_CASE("every level agrees with a plain loop in double, for all types and odd shapes")
{
    ThreadPool pool(2);
    for (const WeightType type : kTypes) {
        for (const Shape& shape : shapesFor(type)) {
            const Problem problem(type, shape);
            for (const Activations activations : {Activations::Int8, Activations::F32}) {
                const Expected expected = naive(problem, activations);
                for (const KernelLevel level : levels()) {
                    CAPTURE(static_cast<int>(type));
                    CAPTURE(shape.rows);
                    CAPTURE(shape.cols);
                    CAPTURE(shape.tokens);
                    CAPTURE(static_cast<int>(level));
                    CAPTURE(static_cast<int>(activations));
                    const auto result = multiplyAll(level, problem, activations, pool);
                    CHECK(worstRelativeError(result, expected) < 2e-6);
                }
            }
        }
    }
}

TEST_CASE("a token's row has the same bits alone, in any batch and with any number of threads")
{
    ThreadPool one(1);
    ThreadPool two(2);
    ThreadPool three(3);
    for (const WeightType type : kTypes) {
        const bool quantised = kernels::blockShape(type).elements > 1;
        const Problem problem(type, {77, quantised ? 1120U : 1123U, 103});
        for (const Activations activations : {Activations::Int8, Activations::F32}) {
            for (const KernelLevel level : levels()) {
                CAPTURE(static_cast<int>(type));
                CAPTURE(static_cast<int>(level));
                const auto all = multiplyAll(level, problem, activations, one);
                CHECK(sameBits(all, multiplyAll(level, problem, activations, two)));
                CHECK(sameBits(all, multiplyAll(level, problem, activations, three)));
                std::size_t first = 0;
                for (const std::size_t count : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 31U, 44U}) {
                    const auto part = multiply(level, problem, first, count, activations, two);
                    CHECK(sameBits(part, std::span(all).subspan(first * 77, count * 77)));
                    first += count;
                }
                CHECK(first == 103);
            }
        }
    }
}

TEST_CASE("products have the same bits with AVX-512 as with AVX2")
{
    if (kernels::cpu::bestKernelLevel() < KernelLevel::Avx512) {
        MESSAGE("Not run: this processor has no AVX-512 with VNNI.");
        return;
    }
    ThreadPool pool(2);
    for (const WeightType type : kTypes) {
        for (const Shape& shape : shapesFor(type)) {
            const Problem problem(type, shape);
            CAPTURE(static_cast<int>(type));
            CAPTURE(shape.rows);
            CHECK(sameBits(multiplyAll(KernelLevel::Avx512, problem, Activations::Int8, pool),
                           multiplyAll(KernelLevel::Avx2, problem, Activations::Int8, pool)));
        }
    }
}

TEST_CASE("the largest weights and activations do not overflow the 8-bit path")
{
    constexpr std::size_t kRows = 16;
    constexpr std::size_t kCols = 64;
    constexpr std::size_t kTokens = 6;
    const std::size_t stride = kernels::rowBytes(WeightType::Q8_0, kCols);
    std::vector<std::byte> bytes(kRows * stride);
    for (std::size_t i = 0; i < bytes.size(); i += 34) {
        bytes[i] = std::byte{0x00};
        bytes[i + 1] = std::byte{0x3C}; // scale 1
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(i + 2), 32, std::byte{0x80});
    }
    const WeightView weights{bytes.data(), WeightType::Q8_0, kRows, kCols};
    ThreadPool pool(1);
    for (const float sign : {1.0F, -1.0F}) {
        const std::vector<float> in(kTokens * kCols, 127.0F * sign);
        for (const KernelLevel level : levels()) {
            for (const std::size_t tokens : {std::size_t{1}, kTokens}) {
                std::vector<float> out(tokens * kRows);
                MatmulScratch scratch;
                kernels::cpu::matmulWith(level, out, std::span(in).first(tokens * kCols), weights,
                                         tokens, Activations::Int8, scratch, pool);
                for (const float value : out)
                    CHECK(value == -128.0F * 127.0F * 64.0F * sign);
            }
        }
    }
}

TEST_CASE("activations that are zero, tiny or not finite are neither lost nor undefined")
{
    ThreadPool pool(1);
    for (const WeightType type : {WeightType::Q8_0, WeightType::Q4_0}) {
        Problem problem(type, {8, 64, 5});
        std::fill_n(problem.in.begin(), 64, 0.0F);
        std::fill_n(problem.in.begin() + 64, 64, 1e-44F);
        problem.in[128 + 3] = std::numeric_limits<float>::quiet_NaN();
        problem.in[192 + 40] = std::numeric_limits<float>::infinity();
        for (const KernelLevel level : levels()) {
            const auto out = multiplyAll(level, problem, Activations::Int8, pool);
            for (std::size_t row = 0; row < 8; ++row) {
                CHECK(out[row] == 0.0F);
                CHECK(std::fabs(out[8 + row]) < 1e-40F);
                CHECK(std::isnan(out[16 + row]));
                CHECK_FALSE(std::isfinite(out[24 + row]));
                CHECK(std::isfinite(out[32 + row]));
            }
        }
    }
}

TEST_CASE("scratch memory serves products of any size one after another")
{
    ThreadPool pool(2);
    MatmulScratch scratch;
    for (const Shape& shape : {Shape{64, 512, 20}, Shape{8, 32, 1}, Shape{32, 1024, 40}}) {
        for (const WeightType type : kTypes) {
            const Problem problem(type, shape);
            std::vector<float> out(shape.tokens * shape.rows);
            kernels::cpu::matmul(out, problem.in, problem.view, shape.tokens, Activations::Int8,
                                 scratch, pool);
            CHECK(worstRelativeError(out, naive(problem, Activations::Int8)) < 2e-6);
        }
    }
}

TEST_CASE("operands that do not fit are refused")
{
    ThreadPool pool(1);
    MatmulScratch scratch;
    const Problem problem(WeightType::F32, {4, 8, 2});
    std::vector<float> out(8);
    const auto call = [&](std::span<float> to, const WeightView& weights, std::size_t tokens) {
        kernels::cpu::matmul(to, problem.in, weights, tokens, Activations::F32, scratch, pool);
    };
    CHECK_THROWS_AS(call(std::span(out).first(7), problem.view, 2), std::invalid_argument);
    CHECK_THROWS_AS(call(out, problem.view, 1), std::invalid_argument);
    WeightView broken = problem.view;
    broken.type = WeightType::Q8_0; // 8 columns are no whole block
    CHECK_THROWS_AS(call(out, broken, 2), std::invalid_argument);
    CHECK_THROWS_AS(kernels::cpu::dequantiseRow(out, problem.view, 4), std::invalid_argument);
}
