#include "kernels/cpu/moments_kernels.h"
#include "kernels/moments.h"

#include <cmath>
#include <doctest/doctest.h>
#include <random>
#include <vector>

namespace {

using namespace kernels::cpu;

std::vector<float> randomFloats(std::size_t count, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.3F, 2.0F);
    std::vector<float> values(count);
    for (float& each : values)
        each = normal(random);
    return values;
}

struct Moments
{
    std::vector<double> sums;
    std::vector<double> products;
    bool operator==(const Moments&) const = default;
};

Moments empty(std::size_t dim)
{
    return {std::vector<double>(dim, 0.25), std::vector<double>(dim * (dim + 1) / 2, 0.5)};
}

} // namespace

TEST_CASE("moments are sums in the order of the vectors, in every variant and in any pieces")
{
    for (const std::size_t dim : {1U, 4U, 12U, 16U, 64U, 72U, 128U}) {
        const std::size_t count = 131;
        const std::size_t stride = 3 * dim;
        const std::vector<float> data = randomFloats(count * stride, 5);
        Moments expected = empty(dim);
        for (std::size_t i = 0; i < count; ++i) {
            const float* vector = &data[i * stride];
            for (std::size_t row = 0, at = 0; row < dim; ++row) {
                expected.sums[row] += static_cast<double>(vector[row]);
                for (std::size_t c = 0; c <= row; ++c, ++at)
                    expected.products[at] +=
                        static_cast<double>(vector[row]) * static_cast<double>(vector[c]);
            }
        }
        CAPTURE(dim);
        for (const KernelLevel level : {KernelLevel::Scalar, bestKernelLevel()}) {
            Moments whole = empty(dim);
            addMomentsWith(level, whole.sums, whole.products, {data, count, stride, dim});
            CHECK(whole == expected);
            Moments pieces = empty(dim);
            const auto rest = std::span<const float>(data).subspan(70 * stride);
            addMomentsWith(level, pieces.sums, pieces.products, {data, 70, stride, dim});
            addMomentsWith(level, pieces.sums, pieces.products, {rest, count - 70, stride, dim});
            CHECK(pieces == expected);
        }
        Moments sumsOnly = empty(dim);
        addMoments(sumsOnly.sums, {}, {data, count, stride, dim});
        CHECK(sumsOnly.sums == expected.sums);
    }
    std::vector<double> sums(4);
    const std::vector<float> data(7);
    CHECK_THROWS(addMoments(sums, {}, {data, 2, 4, 4}));
    CHECK_THROWS(addMoments(sums, std::span<double>(sums).first(3), {data, 1, 4, 4}));
}

TEST_CASE("quadratic forms agree with a loop in double precision")
{
    for (const std::size_t dim : {1U, 12U, 16U, 64U, 72U, 128U}) {
        const std::size_t count = 19;
        const std::vector<float> vectors = randomFloats(count * dim, 6);
        std::vector<float> matrix = randomFloats(dim * dim, 7);
        for (std::size_t row = 0; row < dim; ++row) {
            for (std::size_t c = 0; c < row; ++c)
                matrix[c * dim + row] = matrix[row * dim + c];
        }
        const std::vector<float> linear = randomFloats(dim, 8);
        CAPTURE(dim);
        for (const KernelLevel level : {KernelLevel::Scalar, bestKernelLevel()}) {
            std::vector<float> out(count);
            quadraticFormsWith(level, out, vectors, {matrix, linear});
            std::vector<float> pieces(count); // the same bits, however the vectors are cut
            quadraticFormsWith(level, std::span(pieces).first(7), std::span(vectors).first(7 * dim),
                               {matrix, linear});
            quadraticFormsWith(level, std::span(pieces).subspan(7),
                               std::span(vectors).subspan(7 * dim), {matrix, linear});
            CHECK(pieces == out);
            std::vector<float> linearOnly(count);
            quadraticFormsWith(level, linearOnly, vectors, {{}, linear});
            std::vector<float> zeroMatrix(count);
            quadraticFormsWith(level, zeroMatrix, vectors, {std::vector<float>(dim * dim), linear});
            for (std::size_t j = 0; j < count; ++j)
                CHECK(linearOnly[j] == doctest::Approx(zeroMatrix[j]).epsilon(1e-4));
            for (std::size_t j = 0; j < count; ++j) {
                double expected = 0;
                double size = 0;
                for (std::size_t row = 0; row < dim; ++row) {
                    const double own = static_cast<double>(vectors[j * dim + row]) *
                                       static_cast<double>(linear[row]);
                    expected += own;
                    size += std::abs(own);
                    for (std::size_t c = 0; c < dim; ++c) {
                        const double term = static_cast<double>(vectors[j * dim + row]) *
                                            static_cast<double>(matrix[row * dim + c]) *
                                            static_cast<double>(vectors[j * dim + c]);
                        expected += term;
                        size += std::abs(term);
                    }
                }
                CHECK(std::abs(static_cast<double>(out[j]) - expected) <= 2e-6 * size);
            }
        }
    }
    std::vector<float> out(2);
    const std::vector<float> two(2);
    const std::vector<float> three(3);
    const std::vector<float> four(4);
    CHECK_THROWS(quadraticForms(out, three, {four, two}));
    CHECK_THROWS(quadraticForms(out, four, {three, two}));
}
