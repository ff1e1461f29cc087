#include "engine/methods/leverage.h"

#include "engine/methods/seeded_bits.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>

namespace engine {
namespace {

constexpr double kJitter = 1e-2; // added to the diagonal, ten times more at each further attempt
constexpr int kAttempts = 5;
constexpr double kSmallestDeviation = 1e-6;

/// Square matrices and lists of vectors, row by row.
using Matrix = std::vector<double>;

/// (n, columns) keys without their mean, times the sketch.
Matrix sketched(std::span<const float> keys, std::size_t headDim, std::span<const double> sketch)
{
    const std::size_t count = keys.size() / headDim;
    std::vector<double> mean(headDim);
    for (std::size_t i = 0; i < keys.size(); ++i)
        mean[i % headDim] += static_cast<double>(keys[i]) / static_cast<double>(count);
    const std::size_t columns = sketch.empty() ? headDim : sketch.size() / headDim;
    Matrix out(count * columns);
    for (std::size_t t = 0; t < count; ++t) {
        double* row = &out[t * columns];
        for (std::size_t c = 0; c < headDim; ++c) {
            const double centred = static_cast<double>(keys[t * headDim + c]) - mean[c];
            if (sketch.empty()) {
                row[c] = centred;
                continue;
            }
            for (std::size_t k = 0; k < columns; ++k)
                row[k] += centred * sketch[c * columns + k];
        }
    }
    return out;
}

Matrix gramOf(const Matrix& rows, std::size_t columns)
{
    Matrix gram(columns * columns);
    for (std::size_t t = 0; t < rows.size(); t += columns) {
        for (std::size_t i = 0; i < columns; ++i) {
            for (std::size_t j = 0; j <= i; ++j)
                gram[i * columns + j] += rows[t + i] * rows[t + j];
        }
    }
    return gram;
}

/// The lower factor L with L L' = gram + jitter, or nothing when that is not positive. Only the
/// lower half of gram is read.
std::optional<Matrix> cholesky(Matrix gram, std::size_t size, double jitter)
{
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = gram[i * size + j] + (i == j ? jitter : 0.0);
            for (std::size_t k = 0; k < j; ++k)
                sum -= gram[i * size + k] * gram[j * size + k];
            if (i == j && !(sum > 0))
                return std::nullopt;
            gram[i * size + j] = i == j ? std::sqrt(sum) : sum / gram[j * size + j];
        }
    }
    return gram;
}

/// |L^-1 y|^2 by forward substitution; `solved` is working space of the same size as y.
double squaredSolution(const Matrix& lower, std::span<const double> y, std::span<double> solved)
{
    double square = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        double sum = y[i];
        for (std::size_t k = 0; k < i; ++k)
            sum -= lower[i * y.size() + k] * solved[k];
        solved[i] = sum / lower[i * y.size() + i];
        square += solved[i] * solved[i];
    }
    return square;
}

} // namespace

std::vector<double> gaussianSketch(std::uint32_t headDim, std::uint32_t columns, std::uint64_t seed)
{
    // Box and Muller 1958: two uniform numbers make a normal one.
    const auto uniform = [](std::uint64_t bits) {
        return (static_cast<double>(mixedBits(bits) >> 11U) + 0.5) / 9007199254740992.0;
    };
    const std::uint64_t start = mixedBits(seed);
    std::vector<double> sketch(std::size_t{headDim} * columns);
    for (std::size_t i = 0; i < sketch.size(); ++i) {
        const double radius = std::sqrt(-2 * std::log(uniform(start + 2 * i)) / columns);
        sketch[i] = radius * std::cos(2 * std::numbers::pi * uniform(start + 2 * i + 1));
    }
    return sketch;
}

std::vector<float> leverageScores(std::span<const float> keys, std::size_t headDim,
                                  std::span<const double> sketch)
{
    const Matrix rows = sketched(keys, headDim, sketch);
    const std::size_t columns = sketch.empty() ? headDim : sketch.size() / headDim;
    const Matrix gram = gramOf(rows, columns);
    std::optional<Matrix> lower;
    double jitter = kJitter;
    for (int attempt = 0; attempt < kAttempts && !lower; ++attempt, jitter *= 10)
        lower = cholesky(gram, columns, jitter);
    std::vector<float> scores(keys.size() / headDim, std::nanf(""));
    std::vector<double> solved(columns);
    for (std::size_t t = 0; t < scores.size() && lower; ++t) {
        scores[t] = static_cast<float>(
            squaredSolution(*lower, std::span(rows).subspan(t * columns, columns), solved));
    }
    return scores;
}

void zNormalise(std::span<float> values)
{
    if (values.empty())
        return;
    const auto count = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0;
    for (const float each : values)
        squares += (static_cast<double>(each) - mean) * (static_cast<double>(each) - mean);
    const double deviation =
        std::max(std::sqrt(squares / std::max(count - 1, 1.0)), kSmallestDeviation);
    for (float& each : values)
        each = static_cast<float>((static_cast<double>(each) - mean) / deviation);
}

} // namespace engine
