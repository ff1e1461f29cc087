// The patterns of MInference against the figures of selection.md 6.9 and against their definitions
// written out.

#include "engine/methods/sparse_pattern.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <numeric>
#include <random>

namespace {

using namespace engine;
using kernels::SparsePattern;
using List = std::vector<std::uint32_t>;

constexpr std::size_t kTokens = 24;
constexpr std::size_t kDim = 8;

/// (heads, tokens, channels) numbers of the generator of selection.md 6.1.
std::vector<float> tensor(std::uint32_t seed, std::size_t heads, float factor)
{
    std::vector<float> values(heads * kTokens * kDim);
    for (float& each : values) {
        seed = seed * 1664525U + 1013904223U;
        each = factor * (static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F);
    }
    return values;
}

/// Weights of the last rows with the memory behind them.
struct Weights
{
    std::vector<float> numbers;
    LastRows last;
};

Weights emptyWeights(std::size_t rows, std::size_t entries)
{
    Weights weights;
    weights.numbers.resize(rows * kernels::weightStride(entries));
    weights.last = {weights.numbers, rows, entries};
    return weights;
}

/// The last rows of a query head of the generator's tensors.
Weights goldenWeights(std::size_t rows, std::size_t head)
{
    const auto queries = tensor(11, 4, 3);
    const auto keys = tensor(22, 2, 1);
    Weights weights = emptyWeights(rows, kTokens);
    for (std::size_t row = kTokens - rows; row < kTokens; ++row) {
        std::vector<double> each(row + 1);
        double sum = 0;
        for (std::size_t j = 0; j <= row; ++j) {
            double product = 0;
            for (std::size_t c = 0; c < kDim; ++c)
                product += static_cast<double>(queries[(head * kTokens + row) * kDim + c]) *
                           static_cast<double>(keys[(head / 2 * kTokens + j) * kDim + c]);
            each[j] = std::exp(product / std::sqrt(8.0));
            sum += each[j];
        }
        for (std::size_t j = 0; j <= row; ++j)
            weights.numbers[(row + rows - kTokens) * weights.last.stride() + j] =
                static_cast<float>(each[j] / sum);
    }
    return weights;
}

/// Softmax of random logits with a few heavy columns.
Weights randomWeights(std::size_t rows, std::size_t entries)
{
    std::mt19937 generator(4);
    std::normal_distribution<double> normal(0, 2);
    Weights weights = emptyWeights(rows, entries);
    for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t seen = entries - rows + row + 1;
        std::vector<double> each(seen);
        for (std::size_t j = 0; j < seen; ++j)
            each[j] = std::exp(normal(generator) + (j % 97 == 5 ? 4 : 0));
        const double sum = std::accumulate(each.begin(), each.end(), 0.0);
        for (std::size_t j = 0; j < seen; ++j)
            weights.numbers[row * weights.last.stride() + j] = static_cast<float>(each[j] / sum);
    }
    return weights;
}

/// Whether a row of a piece reads an entry, whatever it sees.
bool covers(const SparsePattern& pattern, std::size_t row, std::size_t entry)
{
    return std::ranges::binary_search(pattern.pages[row / 64], entry / 64) ||
           std::ranges::binary_search(pattern.columns, entry);
}

/// Share of the weights for which `allowed(row, entry)`, of the last rows.
template <class Allowed>
double bruteRecall(const LastRows& last, const Allowed& allowed)
{
    double covered = 0;
    double total = 0;
    for (std::size_t row = 0; row < last.rows; ++row) {
        for (std::size_t j = 0; j <= last.firstEntry() + row; ++j) {
            total += static_cast<double>(last.at(row, j));
            if (allowed(last.firstEntry() + row, j))
                covered += static_cast<double>(last.at(row, j));
        }
    }
    return covered / total;
}

bool has(const List& list, std::size_t value)
{
    return std::ranges::binary_search(list, value);
}

} // namespace

TEST_CASE("selection.md 6.9: sums, chosen columns and distances, the support of row 23")
{
    const Weights four = goldenWeights(4, 0);
    const PatternSums sums = patternSums(four.last);
    const std::vector<double> columns{0.178945, 0.139089, 0.037334, 0.115245};
    const std::vector<double> slashes{0.164992, 0.241430, 0.092282, 0.105225};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(static_cast<double>(sums.columns[i]) == doctest::Approx(columns[i]).epsilon(5e-6));
        CHECK(static_cast<double>(sums.slashes[i]) == doctest::Approx(slashes[i]).epsilon(5e-6));
    }
    CHECK(std::accumulate(sums.columns.begin(), sums.columns.end(), 0.0) ==
          doctest::Approx(4).epsilon(1e-6));
    CHECK(std::accumulate(sums.slashes.begin(), sums.slashes.end(), 0.0) ==
          doctest::Approx(4).epsilon(1e-6));

    const VerticalSlash chosen = chooseVerticalSlash(sums, 5, 4, 2, 2);
    CHECK(chosen.columns == List{0, 1, 9, 11, 14});
    CHECK(chosen.slashes == List{0, 1, 9, 14});
    List support;
    for (std::uint32_t j = 0; j < kTokens; ++j)
        if (has(chosen.columns, j) || has(chosen.slashes, kTokens - 1 - j))
            support.push_back(j);
    CHECK(support == List{0, 1, 9, 11, 14, 22, 23});
    CHECK(recallOf(goldenWeights(1, 0).last, chosen) == doctest::Approx(0.553869).epsilon(2e-6));
}

TEST_CASE("the forced columns and distances are the first ones, and as many as there is room for")
{
    const Weights weights = randomWeights(64, 700);
    const PatternSums sums = patternSums(weights.last);
    List first(100);
    std::iota(first.begin(), first.end(), 0U);
    // Configuration (30, 800) of the original: no column by its weight.
    const VerticalSlash fixed = chooseVerticalSlash(sums, 30, 800, 30, 100);
    CHECK(fixed.columns == List(first.begin(), first.begin() + 30));
    CHECK(fixed.slashes.size() == 700);
    const VerticalSlash few = chooseVerticalSlash(sums, 40, 60, 30, 100);
    CHECK(few.columns.size() == 40);
    CHECK(few.slashes == List(first.begin(), first.begin() + 60));
    CHECK(has(few.columns, 5 + 97));
    const VerticalSlash more = chooseVerticalSlash(sums, 40, 120, 30, 100);
    CHECK(more.slashes.size() == 120);
    CHECK(std::equal(first.begin(), first.end(), more.slashes.begin()));
}

TEST_CASE("a sum that is no number is chosen last")
{
    Weights weights = randomWeights(64, 300);
    weights.numbers[10 * weights.last.stride() + 102] = std::numeric_limits<float>::quiet_NaN();
    const PatternSums sums = patternSums(weights.last);
    CHECK(std::isnan(sums.columns[102]));
    CHECK(std::isnan(sums.slashes[300 - 64 + 10 - 102]));
    const VerticalSlash chosen = chooseVerticalSlash(sums, 299, 299, 30, 100);
    CHECK(!has(chosen.columns, 102));
    CHECK(!has(chosen.slashes, 300 - 64 + 10 - 102));
    CHECK(std::isfinite(recallOf(weights.last, chosen)));
}

TEST_CASE("recall is the covered share of the weights, each counted once")
{
    const Weights weights = randomWeights(64, 700);
    const VerticalSlash lines = chooseVerticalSlash(patternSums(weights.last), 60, 130, 30, 100);
    CHECK(recallOf(weights.last, lines) ==
          doctest::Approx(bruteRecall(weights.last, [&](std::size_t i, std::size_t j) {
              return has(lines.columns, j) || has(lines.slashes, i - j);
          })).epsilon(1e-6));
    CHECK(recallOfShape(weights.last, 100, 200) ==
          doctest::Approx(bruteRecall(weights.last, [](std::size_t i, std::size_t j) {
              return j < 100 || i - j < 200;
          })).epsilon(1e-6));
    CHECK(recallOfShape(weights.last, 400, 500) == doctest::Approx(1).epsilon(1e-6));
    const std::vector<List> pages{{}, {0, 3, 9}, {1, 10}};
    CHECK(recallOfPages(weights.last, 100, pages) ==
          doctest::Approx(bruteRecall(weights.last, [&](std::size_t i, std::size_t j) {
              return has(pages[(i - 636 + 100) / 64], j / 64);
          })).epsilon(1e-6));
}

TEST_CASE("the kernel's pattern covers every column and distance, wherever the piece begins")
{
    for (const std::size_t begin : {0U, 64U, 448U, 451U}) {
        const PieceRows piece{begin, 249};
        const Weights weights = randomWeights(64, piece.entries());
        const VerticalSlash lines =
            chooseVerticalSlash(patternSums(weights.last), 50, 110, 30, 100);
        const SparsePattern pattern = tilePattern(lines, piece);
        std::size_t wanted = 0;
        std::size_t read = 0;
        for (std::size_t row = 0; row < piece.rows; ++row) {
            for (std::size_t j = 0; j <= begin + row; ++j) {
                const bool allowed = has(lines.columns, j) || has(lines.slashes, begin + row - j);
                wanted += allowed ? 1 : 0;
                read += covers(pattern, row, j) ? 1 : 0;
                if (allowed && !covers(pattern, row, j))
                    FAIL("row ", row, " lacks entry ", j);
            }
        }
        CHECK(read >= wanted);
        for (const auto& pages : pattern.pages) {
            CHECK(std::ranges::is_sorted(pages, std::ranges::less_equal()));
            CHECK(pages.back() * 64 < piece.entries());
        }
        // Forced columns fill nearly half of a page; a single one does not pull in its page.
        CHECK(std::ranges::none_of(
            pattern.columns, [&](std::uint32_t column) { return !has(lines.columns, column); }));
    }
}

TEST_CASE("all columns or all distances are all pages")
{
    const PieceRows piece{451, 249};
    const Weights weights = randomWeights(64, 700);
    const PatternSums sums = patternSums(weights.last);
    for (const auto& lines : {chooseVerticalSlash(sums, 700, 50, 30, 100),
                              chooseVerticalSlash(sums, 30, 700, 30, 100)}) {
        const SparsePattern pattern = tilePattern(lines, piece);
        CHECK((lines.columns.size() < 700 || pattern.columns.empty()));
        for (std::size_t row = 0; row < piece.rows; ++row)
            for (std::size_t page = 0; page * 64 <= piece.begin + row; ++page)
                REQUIRE(has(pattern.pages[row / 64], page));
    }
}

TEST_CASE("an A-shape covers the first and the last entries of every row")
{
    const PieceRows piece{451, 249};
    const SparsePattern pattern = shapePattern(100, 130, piece);
    for (std::size_t row = 0; row < piece.rows; ++row)
        for (std::size_t j = 0; j <= piece.begin + row; ++j)
            if (j < 100 || piece.begin + row - j < 130)
                REQUIRE(covers(pattern, row, j));
    CHECK(!covers(pattern, 200, 300));
    CHECK(shapePattern(10, 1 << 20, piece).pages[3].size() == 11);
}

TEST_CASE("block-sparse: the best products of means, the own block and the first always")
{
    const PieceRows piece{640, 130};
    std::mt19937 generator(3);
    std::normal_distribution<float> normal;
    std::vector<float> queries(3 * kDim);
    std::vector<float> keys(13 * kDim);
    for (std::vector<float>* each : {&queries, &keys})
        for (float& value : *each)
            value = normal(generator);
    keys[5 * kDim] = std::numeric_limits<float>::quiet_NaN();
    const SparsePattern pattern = blockPattern(queries, keys, kDim, 4, piece);
    REQUIRE(pattern.pages.size() == 3);
    for (std::size_t tile = 0; tile < 3; ++tile) {
        const std::size_t own = 10 + tile;
        List order;
        for (std::uint32_t page = 1; page < own; ++page)
            if (page != 5) // no number
                order.push_back(page);
        std::ranges::sort(order, std::ranges::greater(), [&](std::uint32_t page) {
            return std::inner_product(
                queries.begin() + static_cast<std::ptrdiff_t>(tile * kDim),
                queries.begin() + static_cast<std::ptrdiff_t>((tile + 1) * kDim),
                keys.begin() + static_cast<std::ptrdiff_t>(page * kDim), 0.0F);
        });
        List expected{0, order[0], order[1], static_cast<std::uint32_t>(own)};
        std::ranges::sort(expected);
        CHECK(pattern.pages[tile] == expected);
    }
    CHECK(blockPattern(queries, keys, kDim, 1, piece).pages[0] == List{0, 10});
    CHECK(blockPattern(queries, keys, kDim, 100, piece).pages[2].size() == 13);
    // Rows that do not begin with a block stand in two.
    CHECK(blockPattern(queries, keys, kDim, 1, {650, 120}).pages[0] == List{0, 10, 11});
}
