// Score passes with factors for rows and columns (KVzip+, structural.md 6.2), and over blocks whose
// rows see one another (Compactor, structural.md 6.6): the tiles against the sums written out.

#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/thread_pool.h"
#include "tests/kernels/attention_support.h"

#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using kernels::EntryRange;
using kernels::HeadReduction;
using kernels::KvType;
using kernels::Normaliser;
using kernels::RowReduction;
using kernels::ScoreSpec;
using kernels::cpu::ThreadPool;
using tests::Problem;

namespace {

constexpr std::size_t kRows = 107;
constexpr std::size_t kHeads = 6;
constexpr std::array<std::size_t, 2> kLengths = {437, 300};
constexpr EntryRange kScored{70, 290};

std::vector<float> scored(const Problem& problem, const ScoreSpec& spec, std::span<const float> lse,
                          std::size_t threads)
{
    ThreadPool pool(threads);
    std::vector<float> result(problem.shape.kvHeads * (spec.scored.end - spec.scored.begin));
    kernels::cpu::scorePass(result, problem.q, problem.lists, problem.visible, lse, spec,
                            problem.shape, pool);
    return result;
}

std::vector<float> reference(const Problem& problem, const ScoreSpec& spec,
                             std::span<const float> lse)
{
    ThreadPool pool(1);
    std::vector<float> result(problem.shape.kvHeads * (spec.scored.end - spec.scored.begin));
    kernels::cpu::scorePassReference({.scores = result,
                                      .q = problem.q,
                                      .lists = problem.lists,
                                      .visible = problem.visible,
                                      .lse = lse,
                                      .spec = spec,
                                      .shape = problem.shape},
                                     pool);
    return result;
}

std::vector<float> logSumExps(const Problem& problem)
{
    ThreadPool pool(1);
    std::vector<float> out(problem.q.size());
    std::vector<float> lse(problem.vectors());
    kernels::cpu::attention(out, lse, problem.q, problem.lists, problem.visible, problem.shape,
                            pool);
    return lse;
}

/// Positive factors over some powers of ten.
std::vector<float> factors(std::size_t count, std::uint32_t seed)
{
    tests::LinearCongruential source(seed);
    std::vector<float> values(count);
    for (float& each : values)
        each = std::exp(4.0F * source.next());
    return values;
}

} // namespace

TEST_CASE("row and column weights: tiles agree with the sums written out")
{
    const Problem problem = tests::makeProblem(KvType::F16, kRows, kHeads, kLengths, 32, 17);
    const std::vector<float> lse = logSumExps(problem);
    const std::array<EntryRange, 3> subset = {{{0, 5}, {60, 290}, {330, 500}}};
    std::vector<float> rowWeights = factors(kRows, 3);
    rowWeights[40] = 0;
    const std::vector<float> columnWeights = factors(kHeads * (kScored.end - kScored.begin), 5);
    for (const RowReduction rows :
         {RowReduction::Last, RowReduction::Sum, RowReduction::Mean, RowReduction::Max})
        for (const HeadReduction heads :
             {HeadReduction::Max, HeadReduction::Mean, HeadReduction::Sum})
            for (const Normaliser normaliser : {Normaliser::Subset, Normaliser::Full}) {
                CAPTURE(static_cast<int>(rows));
                CAPTURE(static_cast<int>(heads));
                CAPTURE(static_cast<int>(normaliser));
                ScoreSpec spec{.scored = kScored,
                               .subset = subset,
                               .normaliser = normaliser,
                               .rows = rows,
                               .heads = heads,
                               .firstRow = 5};
                const std::vector<float> plain = scored(problem, spec, lse, 1);
                spec.rowWeights = rowWeights;
                spec.columnWeights = columnWeights;
                const std::vector<float> actual = scored(problem, spec, lse, 2);
                CHECK(actual == scored(problem, spec, lse, 1));
                CHECK(tests::relativeError(actual, reference(problem, spec, lse)) < 2e-5);
                CHECK(tests::relativeError(actual, plain) > 0.1); // the factors do something
            }
}

TEST_CASE("row and column weights are those of the formula: one row, one head")
{
    constexpr std::array<std::size_t, 1> kLength = {40};
    const Problem problem = tests::makeProblem(KvType::F32, 2, 1, kLength, 32, 9);
    const std::array<EntryRange, 1> subset = {{{0, 40}}};
    ScoreSpec spec{.scored = {0, 39},
                   .subset = subset,
                   .normaliser = Normaliser::Subset,
                   .rows = RowReduction::Max,
                   .heads = HeadReduction::Max,
                   .firstRow = 1};
    const std::vector<float> plain = scored(problem, spec, {}, 1);
    const std::array<float, 2> rowWeights = {1000.0F, 0.25F}; // the first row takes no part
    const std::vector<float> columnWeights = factors(39, 7);
    spec.rowWeights = rowWeights;
    spec.columnWeights = columnWeights;
    const std::vector<float> logs = scored(problem, spec, {}, 1);
    for (std::size_t j = 0; j < 39; ++j)
        CHECK(
            logs[j] ==
            doctest::Approx(plain[j] + std::log(0.25F) + std::log(columnWeights[j])).epsilon(1e-5));
    spec.rows = RowReduction::Sum;
    const std::vector<float> weights = scored(problem, spec, {}, 1);
    for (std::size_t j = 0; j < 39; ++j)
        CHECK(weights[j] == doctest::Approx(std::exp(logs[j])).epsilon(1e-5));
}

TEST_CASE("weights that do not fit are refused")
{
    const Problem problem = tests::makeProblem(KvType::F32, 4, kHeads, kLengths, 32, 2);
    const std::vector<float> lse = logSumExps(problem);
    const std::vector<float> three(3, 1.0F);
    const std::vector<float> four(4, 1.0F);
    ScoreSpec spec{.scored = kScored, .subset = {}};
    spec.rowWeights = three;
    CHECK_THROWS_AS(scored(problem, spec, lse, 1), std::invalid_argument);
    spec.rowWeights = four;
    CHECK_NOTHROW(scored(problem, spec, lse, 1));
    spec.columnWeights = four;
    CHECK_THROWS_AS(scored(problem, spec, lse, 1), std::invalid_argument);
    spec.columnWeights = {};
    spec.normaliser = Normaliser::None;
    CHECK_THROWS_AS(scored(problem, spec, lse, 1), std::invalid_argument);
}

TEST_CASE("rows of a block see one another: every row spreads a weight of one over its own block")
{
    constexpr std::uint32_t kTokens = 300;
    constexpr std::uint32_t kBlock = 70; // neither a page nor a tile
    constexpr std::array<std::size_t, 2> kWhole = {kTokens, kTokens};
    Problem problem = tests::makeProblem(KvType::F16, kTokens, 4, kWhole, 32, 21);
    for (std::uint32_t row = 0; row < kTokens; ++row) {
        const std::uint32_t begin = row / kBlock * kBlock;
        for (std::size_t list = 0; list < 2; ++list)
            problem.visible[row * 2 + list] = {begin, std::min(begin + kBlock, kTokens)};
    }
    const std::array<EntryRange, 1> subset = {{{0, kTokens}}};
    const ScoreSpec spec{.scored = {0, kTokens},
                         .subset = subset,
                         .normaliser = Normaliser::Subset,
                         .rows = RowReduction::Sum,
                         .heads = HeadReduction::Mean,
                         .firstRow = 0};
    const std::vector<float> actual = scored(problem, spec, {}, 2);
    CHECK(tests::relativeError(actual, reference(problem, spec, {})) < 2e-5);
    for (std::uint32_t begin = 0; begin < kTokens; begin += kBlock) {
        const std::uint32_t end = std::min(begin + kBlock, kTokens);
        double sum = 0;
        for (std::uint32_t j = begin; j < end; ++j)
            sum += static_cast<double>(actual[j]);
        CHECK(sum == doctest::Approx(end - begin).epsilon(1e-5));
    }
    CHECK(actual[0] > 0.0F);
}

TEST_CASE("a key that is no number has a score that is none, the others keep theirs")
{
    constexpr std::size_t kDim = 32;
    constexpr std::size_t kTokens = 100;
    constexpr std::size_t kBad = 30;
    tests::LinearCongruential source(3);
    std::vector<float> keys(kTokens * kDim);
    for (float& each : keys)
        each = source.next();
    keys[kBad * kDim + 5] = std::numeric_limits<float>::quiet_NaN();
    const tests::OwnedList list(KvType::F32, keys, keys, kDim);
    Problem problem;
    problem.shape = {.rows = 40, .heads = 1, .kvHeads = 1, .headDim = kDim, .scale = 0.2F};
    for (std::size_t i = 0; i < problem.shape.rows * kDim; ++i)
        problem.q.push_back(source.next());
    problem.lists = {list.view()};
    problem.visible.assign(problem.shape.rows, {0, kTokens});
    const std::vector<float> lse(problem.shape.rows, 5.0F);
    ScoreSpec spec{.scored = {0, kTokens}, .subset = {}};
    const std::vector<float> sums = scored(problem, spec, lse, 1);
    const std::vector<float> expected = reference(problem, spec, lse);
    spec.rows = RowReduction::Max;
    const std::vector<float> largest = scored(problem, spec, lse, 1);
    for (std::size_t j = 0; j < kTokens; ++j) {
        CHECK(std::isnan(sums[j]) == (j == kBad));
        CHECK(std::isnan(expected[j]) == (j == kBad));
        CHECK(std::isfinite(largest[j]) == (j != kBad));
    }
}
