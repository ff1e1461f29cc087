#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/pool.h"
#include "kernels/select.h"
#include "tests/kernels/attention_support.h"

#include <algorithm>
#include <array>
#include <doctest/doctest.h>
#include <functional>
#include <limits>
#include <numeric>

using kernels::EntryRange;
using kernels::HeadReduction;
using kernels::KvType;
using kernels::Normaliser;
using kernels::RowReduction;
using kernels::ScoreSpec;
using kernels::cpu::ThreadPool;
using kernels::cpu::TieRule;
using tests::Problem;

namespace {

using Indices = std::vector<std::uint32_t>;

constexpr std::size_t kGoldenTokens = 24;
constexpr std::size_t kGoldenDim = 8;
constexpr std::size_t kPaddedDim = 32; // the golden heads are filled up with zeros

/// The tensors of selection.md 6.1 as a causal problem. With `kvHeads` 4 every query head has a
/// list of its own.
Problem goldenProblem(std::size_t kvHeads)
{
    constexpr std::size_t kHeads = 4;
    Problem problem;
    problem.shape = {.rows = kGoldenTokens,
                     .heads = kHeads,
                     .kvHeads = kvHeads,
                     .headDim = kPaddedDim,
                     .scale = 1.0F / std::sqrt(static_cast<float>(kGoldenDim))};
    problem.q.assign(kGoldenTokens * kHeads * kPaddedDim, 0.0F);
    tests::LinearCongruential queries(11);
    for (std::size_t head = 0; head < kHeads; ++head)
        for (std::size_t row = 0; row < kGoldenTokens; ++row)
            for (std::size_t channel = 0; channel < kGoldenDim; ++channel)
                problem.q[(row * kHeads + head) * kPaddedDim + channel] = 3.0F * queries.next();
    tests::LinearCongruential keySource(22);
    for (std::size_t list = 0; list < 2; ++list) {
        std::vector<float> keys(kGoldenTokens * kPaddedDim, 0.0F);
        for (std::size_t i = 0; i < kGoldenTokens * kGoldenDim; ++i)
            keys[i / kGoldenDim * kPaddedDim + i % kGoldenDim] = keySource.next();
        for (std::size_t copy = 0; copy < kvHeads / 2; ++copy)
            problem.owned.emplace_back(KvType::F32, keys, keys, kPaddedDim);
    }
    for (const tests::OwnedList& list : problem.owned)
        problem.lists.push_back(list.view());
    for (std::uint32_t row = 0; row < kGoldenTokens; ++row)
        problem.visible.insert(problem.visible.end(), kvHeads, {0, row + 1});
    return problem;
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

/// One vector of scores for each list.
std::vector<std::vector<float>> scores(const Problem& problem, const ScoreSpec& spec,
                                       std::size_t threads = 1)
{
    ThreadPool pool(threads);
    const std::size_t entries = spec.scored.end - spec.scored.begin;
    std::vector<float> all(problem.shape.kvHeads * entries);
    const std::vector<float> lse =
        spec.normaliser == Normaliser::Full ? logSumExps(problem) : std::vector<float>{};
    kernels::cpu::scorePass(all, problem.q, problem.lists, problem.visible, lse, spec,
                            problem.shape, pool);
    std::vector<std::vector<float>> lists;
    for (std::size_t list = 0; list < problem.shape.kvHeads; ++list)
        lists.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(list * entries),
                           all.begin() + static_cast<std::ptrdiff_t>((list + 1) * entries));
    return lists;
}

Indices top(const std::vector<float>& values, std::size_t count)
{
    return kernels::cpu::selectTop(values, {}, count, TieRule::LowerIndex);
}

std::vector<float> averaged(const std::vector<float>& values, kernels::cpu::PoolEdge edge)
{
    std::vector<float> pooled(values.size());
    kernels::cpu::avgPool(pooled, values, 5, edge);
    return pooled;
}

void checkClose(std::span<const float> actual, std::span<const double> expected, double tolerance)
{
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i);
        CHECK(std::abs(static_cast<double>(actual[i]) - expected[i]) < tolerance);
    }
}

/// SnapKV's votes: the last four rows, over everything before them (selection.md 6.3).
ScoreSpec snapSpec()
{
    return {.scored = {0, kGoldenTokens - 4},
            .subset = {},
            .normaliser = Normaliser::Full,
            .rows = RowReduction::Sum,
            .heads = HeadReduction::Mean,
            .firstRow = kGoldenTokens - 4};
}

} // namespace

TEST_CASE("the golden tensors are the published ones")
{
    const Problem problem = goldenProblem(2);
    checkClose(std::span(problem.q).first(3), std::array{-1.558014, -1.342150, -0.892052}, 1e-6);
    std::vector<float> key(kPaddedDim);
    kernels::cpu::decodeKeys(KvType::F32, key, problem.lists[0].pages[0].keys, kPaddedDim, 0, 1);
    checkClose(std::span(key).first(3), std::array{-0.510812, -0.451901, 0.766231}, 1e-6);
}

TEST_CASE("raw logits of the last row, summed over all heads (selection.md 6.2)")
{
    Problem problem = goldenProblem(2);
    problem.shape.scale = 1.0F;
    const auto lists = scores(problem, {.scored = {0, kGoldenTokens},
                                        .subset = {},
                                        .normaliser = Normaliser::None,
                                        .rows = RowReduction::Last,
                                        .heads = HeadReduction::Sum,
                                        .firstRow = 0});
    std::vector<float> sum(kGoldenTokens);
    std::ranges::transform(lists[0], lists[1], sum.begin(), std::plus<>());
    checkClose(sum, std::array{-9.996087, -6.021196, 2.678248, 3.667217}, 1e-5);
    const auto zeros = averaged(sum, kernels::cpu::PoolEdge::Zeros);
    const auto valid = averaged(sum, kernels::cpu::PoolEdge::Valid);
    checkClose(zeros, std::array{-2.667807, -1.934364, -3.175984}, 1e-5);
    checkClose(valid, std::array{-4.446345, -2.417955, -3.175984}, 1e-5);
    CHECK(top(zeros, 8) == Indices{8, 9, 11, 19, 20, 21, 22, 23});
    CHECK(top(valid, 8) == Indices{8, 9, 11, 19, 20, 21, 22, 23});
    CHECK(top(sum, 8) == Indices{7, 9, 10, 17, 18, 20, 21, 22});
}

TEST_CASE("votes of the last rows (selection.md 6.3)")
{
    const auto perHead = scores(goldenProblem(4), snapSpec());
    checkClose(perHead[0], std::array{0.178945, 0.139089, 0.037334, 0.115245}, 1e-6);
    const std::array<Indices, 4> expected = {{{8, 9, 10, 11, 12, 13, 14, 15},
                                              {2, 3, 4, 9, 10, 11, 12, 13},
                                              {5, 6, 7, 8, 9, 10, 16, 17},
                                              {2, 3, 4, 5, 7, 15, 16, 17}}};
    for (std::size_t head = 0; head < 4; ++head)
        CHECK(top(averaged(perHead[head], kernels::cpu::PoolEdge::Zeros), 8) == expected[head]);

    const auto mean = scores(goldenProblem(2), snapSpec());
    const std::array<Indices, 2> pooled = {
        {{2, 3, 9, 10, 11, 12, 13, 14}, {4, 5, 6, 7, 8, 9, 16, 17}}};
    const std::array<Indices, 2> peaks = {
        {{4, 8, 9, 10, 11, 12, 13, 14}, {4, 7, 9, 15, 16, 17, 18, 19}}};
    const std::array<Indices, 2> byIndex = {
        {{1, 8, 9, 10, 11, 12, 13, 14}, {4, 5, 6, 15, 16, 17, 18, 19}}};
    const std::array<Indices, 2> poolFirst = {
        {{6, 8, 9, 10, 11, 12, 13, 14}, {4, 5, 6, 15, 16, 17, 18, 19}}};
    for (std::size_t list = 0; list < 2; ++list) {
        CHECK(top(averaged(mean[list], kernels::cpu::PoolEdge::Zeros), 8) == pooled[list]);
        std::vector<float> largest(mean[list].size());
        kernels::cpu::maxPool(largest, mean[list], 7);
        CHECK(kernels::cpu::selectTop(largest, mean[list], 8, TieRule::LowerIndex) == peaks[list]);
        CHECK(top(largest, 8) == byIndex[list]);

        // kvpress takes the maxima of each query head before it averages the group.
        std::vector<float> averages(largest.size());
        for (std::size_t head = 2 * list; head < 2 * list + 2; ++head) {
            kernels::cpu::maxPool(largest, perHead[head], 7);
            std::ranges::transform(largest, averages, averages.begin(), std::plus<>());
        }
        CHECK(top(averages, 8) == poolFirst[list]);
    }
}

TEST_CASE("sums over all rows (selection.md 6.5)")
{
    ScoreSpec spec{.scored = {0, kGoldenTokens},
                   .subset = {},
                   .normaliser = Normaliser::Full,
                   .rows = RowReduction::Sum,
                   .heads = HeadReduction::Sum,
                   .firstRow = 0};
    const auto heavy = scores(goldenProblem(2), spec);
    const std::array<Indices, 2> expected = {{{0, 1, 2, 3, 4, 5, 6, 11}, {0, 1, 2, 3, 4, 5, 7, 8}}};
    for (std::size_t list = 0; list < 2; ++list)
        CHECK(top({heavy[list].begin(), heavy[list].end() - 4}, 8) == expected[list]);
    const auto perHead = scores(goldenProblem(4), spec);
    CHECK(std::accumulate(perHead[0].begin(), perHead[0].end(), 0.0) ==
          doctest::Approx(24.0).epsilon(1e-6));

    spec.heads = HeadReduction::Mean;
    auto observed = scores(goldenProblem(2), spec);
    const std::array<Indices, 2> aged = {
        {{0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14}, {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 18}}};
    for (std::size_t list = 0; list < 2; ++list) {
        for (std::size_t i = 0; i < kGoldenTokens; ++i)
            observed[list][i] /= static_cast<float>(kGoldenTokens - i);
        CHECK(top(observed[list], 12) == aged[list]);
    }
}

TEST_CASE("weights of the last row, and columns of the last four (selection.md 6.5b, 6.9)")
{
    const auto last = scores(goldenProblem(2), {.scored = {0, kGoldenTokens},
                                                .subset = {},
                                                .normaliser = Normaliser::Full,
                                                .rows = RowReduction::Last,
                                                .heads = HeadReduction::Mean,
                                                .firstRow = 0});
    std::vector<float> mean(kGoldenTokens);
    std::ranges::transform(last[0], last[1], mean.begin(), std::plus<>());
    CHECK(top(mean, 8) == Indices{3, 7, 9, 10, 17, 18, 21, 22});
    mean.back() = std::numeric_limits<float>::infinity();
    CHECK(top(mean, 8) == Indices{7, 9, 10, 17, 18, 21, 22, 23});

    ScoreSpec spec = snapSpec();
    spec.scored.end = kGoldenTokens;
    auto columns = scores(goldenProblem(4), spec)[0];
    CHECK(std::accumulate(columns.begin(), columns.end(), 0.0) == doctest::Approx(4.0));
    columns[0] = columns[1] = std::numeric_limits<float>::infinity();
    CHECK(top(columns, 5) == Indices{0, 1, 9, 11, 14});
}

TEST_CASE("KVzip: softmax over sinks, piece and own rows only (selection.md 6.12c)")
{
    const std::array<EntryRange, 3> subset = {{{0, 2}, {6, 14}, {16, 24}}};
    const auto logs = scores(goldenProblem(2), {.scored = {6, 14},
                                                .subset = subset,
                                                .normaliser = Normaliser::Subset,
                                                .rows = RowReduction::Max,
                                                .heads = HeadReduction::Max,
                                                .firstRow = 16});
    const std::array<std::array<double, 8>, 2> expected = {
        {{.155615, .331416, .151902, .283962, .153082, .666573, .277274, .166372},
         {.141885, .250494, .177471, .195969, .303618, .233613, .432807, .218550}}};
    for (std::size_t list = 0; list < 2; ++list) {
        std::vector<float> weights(8);
        std::ranges::transform(logs[list], weights.begin(), [](float x) { return std::exp(x); });
        checkClose(weights, expected[list], 2e-6);
    }

    // Z2 of structural.md 6.1: shares, and never less than among everything.
    const auto full = scores(goldenProblem(2), {.scored = {6, 14},
                                                .subset = {},
                                                .normaliser = Normaliser::Full,
                                                .rows = RowReduction::Max,
                                                .heads = HeadReduction::Max,
                                                .firstRow = 16});
    for (std::size_t list = 0; list < 2; ++list) {
        for (std::size_t entry = 0; entry < logs[list].size(); ++entry) {
            CHECK(std::exp(logs[list][entry]) > 0);
            CHECK(logs[list][entry] <= 0);
            CHECK(logs[list][entry] > full[list][entry]);
        }
    }
}

TEST_CASE("equal keys: every row spreads its weight evenly over what it sees")
{
    Problem problem = goldenProblem(2);
    const std::vector<float> keys(kGoldenTokens * kPaddedDim, 0.5F);
    const tests::OwnedList list(KvType::F32, keys, keys, kPaddedDim);
    problem.lists = {list.view(), list.view()};
    const auto votes = scores(problem, snapSpec());
    double expected = 0.0;
    for (std::size_t row = 20; row < 24; ++row)
        expected += 1.0 / static_cast<double>(row + 1);
    for (const auto& one : votes)
        for (const float vote : one)
            CHECK(vote == doctest::Approx(expected).epsilon(1e-6));
}

namespace {

constexpr std::array kTypes = {KvType::F32, KvType::F16, KvType::Int8, KvType::Kivi4,
                               KvType::Kivi2};
constexpr std::array kRowReductions = {RowReduction::Last, RowReduction::Sum, RowReduction::Mean,
                                       RowReduction::Max};
constexpr std::array kHeadReductions = {HeadReduction::Max, HeadReduction::Mean,
                                        HeadReduction::Sum};
constexpr std::array kNormalisers = {Normaliser::None, Normaliser::Subset, Normaliser::Full};

std::vector<float> tiled(const Problem& problem, const ScoreSpec& spec,
                         const std::vector<float>& lse, std::size_t threads)
{
    ThreadPool pool(threads);
    std::vector<float> result(problem.shape.kvHeads * (spec.scored.end - spec.scored.begin));
    kernels::cpu::scorePass(result, problem.q, problem.lists, problem.visible, lse, spec,
                            problem.shape, pool);
    return result;
}

void compareWithReference(const Problem& problem, const ScoreSpec& spec,
                          const std::vector<float>& lse)
{
    const std::vector<float> actual = tiled(problem, spec, lse, 2);
    CHECK(actual == tiled(problem, spec, lse, 1));
    CHECK(actual == tiled(problem, spec, lse, 3));
    ThreadPool pool(1);
    std::vector<float> expected(actual.size());
    kernels::cpu::scorePassReference({.scores = expected,
                                      .q = problem.q,
                                      .lists = problem.lists,
                                      .visible = problem.visible,
                                      .lse = lse,
                                      .spec = spec,
                                      .shape = problem.shape},
                                     pool);
    CHECK(tests::relativeError(actual, expected) < 2e-5);
}

} // namespace

TEST_CASE("every combination of reductions agrees with the sums written out")
{
    const std::array<std::size_t, 2> lengths = {437, 300};
    const std::array<EntryRange, 3> subset = {{{0, 5}, {60, 290}, {330, 500}}};
    for (const KvType type : kTypes) {
        const Problem problem = tests::makeProblem(type, 107, 6, lengths, 32, 17);
        const std::vector<float> lse = logSumExps(problem);
        for (const RowReduction rows : kRowReductions)
            for (const HeadReduction heads : kHeadReductions)
                for (const Normaliser normaliser : kNormalisers) {
                    CAPTURE(static_cast<int>(type));
                    CAPTURE(static_cast<int>(rows));
                    CAPTURE(static_cast<int>(heads));
                    CAPTURE(static_cast<int>(normaliser));
                    compareWithReference(problem,
                                         {.scored = {70, 290},
                                          .subset = subset,
                                          .normaliser = normaliser,
                                          .rows = rows,
                                          .heads = heads,
                                          .firstRow = 5},
                                         lse);
                }
    }
}

TEST_CASE("entries that no row sees have no score, beyond the end of a list too")
{
    const std::array<std::size_t, 2> lengths = {150, 40};
    Problem problem = tests::makeProblem(KvType::F16, 9, 4, lengths, 64, 2);
    for (EntryRange& range : problem.visible)
        range.begin = 30;
    for (EntryRange& range : problem.visible)
        range.end = std::max(range.begin, range.end);
    const std::vector<float> lse = logSumExps(problem);
    ScoreSpec spec{.scored = {20, 200},
                   .subset = {},
                   .normaliser = Normaliser::Full,
                   .rows = RowReduction::Sum,
                   .heads = HeadReduction::Mean,
                   .firstRow = 0};
    compareWithReference(problem, spec, lse);
    const std::vector<float> sums = tiled(problem, spec, lse, 1);
    CHECK(sums[0] == 0.0F);
    CHECK(sums[10] > 0.0F);
    CHECK(sums[180 + 179] == 0.0F);
    spec.rows = RowReduction::Max;
    compareWithReference(problem, spec, lse);
    const std::vector<float> logs = tiled(problem, spec, lse, 1);
    CHECK(logs[0] == -std::numeric_limits<float>::infinity());
    CHECK(std::isfinite(logs[10]));
    CHECK(logs[180 + 179] == -std::numeric_limits<float>::infinity());
}

TEST_CASE("long score passes agree with the sums written out")
{
    const std::array<std::size_t, 1> lengths = {1300};
    const Problem problem = tests::makeProblem(KvType::F16, 700, 2, lengths, 64, 4);
    const std::array<EntryRange, 2> subset = {{{0, 620}, {640, 1300}}};
    compareWithReference(problem,
                         {.scored = {3, 613},
                          .subset = subset,
                          .normaliser = Normaliser::Subset,
                          .rows = RowReduction::Sum,
                          .heads = HeadReduction::Mean,
                          .firstRow = 50},
                         {});
}
