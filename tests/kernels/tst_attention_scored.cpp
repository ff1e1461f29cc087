// Attention that leaves a score pass behind: the same bits as attention() and scorePass() one after
// the other.

#include "kernels/cpu/thread_pool.h"
#include "tests/kernels/attention_support.h"

#include <array>
#include <bit>
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
constexpr std::array<std::size_t, 2> kLengths = {737, 700};
constexpr std::array<EntryRange, 3> kSubset = {{{0, 5}, {60, 290}, {630, 900}}};
constexpr std::array kTypes = {KvType::F32, KvType::F16, KvType::Int8, KvType::Kivi4,
                               KvType::Kivi2};

/// A repetition's pass: the largest weight over the prefix, the piece and the own rows.
ScoreSpec repeatSpec()
{
    return {.scored = kSubset[1],
            .subset = kSubset,
            .normaliser = Normaliser::Subset,
            .rows = RowReduction::Max,
            .heads = HeadReduction::Max};
}

std::vector<std::uint32_t> bitsOf(std::span<const float> values)
{
    std::vector<std::uint32_t> bits;
    for (const float value : values)
        bits.push_back(std::bit_cast<std::uint32_t>(value));
    return bits;
}

struct Results
{
    std::vector<std::uint32_t> out;
    std::vector<std::uint32_t> lse;
    std::vector<std::uint32_t> scores;

    friend bool operator==(const Results&, const Results&) = default;
};

Results run(const Problem& problem, const ScoreSpec& spec, std::size_t threads, bool atOnce)
{
    ThreadPool pool(threads);
    std::vector<float> out(problem.q.size());
    std::vector<float> lse(problem.vectors());
    std::vector<float> scores(problem.shape.kvHeads * (spec.scored.end - spec.scored.begin));
    if (atOnce) {
        kernels::cpu::attentionWithScores(out, lse, scores, problem.q, problem.lists,
                                          problem.visible, spec, problem.shape, pool);
    } else {
        kernels::cpu::attention(out, lse, problem.q, problem.lists, problem.visible, problem.shape,
                                pool);
        kernels::cpu::scorePass(scores, problem.q, problem.lists, problem.visible, lse, spec,
                                problem.shape, pool);
    }
    return {bitsOf(out), bitsOf(lse), bitsOf(scores)};
}

void checkSame(const Problem& problem, const ScoreSpec& spec)
{
    const Results expected = run(problem, spec, 2, false);
    for (const std::size_t threads : {1U, 2U, 3U}) {
        CAPTURE(threads);
        CHECK(run(problem, spec, threads, true) == expected);
    }
}

std::vector<float> factors(std::size_t count, std::uint32_t seed)
{
    tests::LinearCongruential source(seed);
    std::vector<float> values(count);
    for (float& each : values)
        each = std::exp(4.0F * source.next());
    return values;
}

} // namespace

TEST_CASE("scores taken from the attention's product have the bits of a pass of their own")
{
    for (const KvType type : kTypes)
        for (const HeadReduction heads :
             {HeadReduction::Max, HeadReduction::Mean, HeadReduction::Sum}) {
            CAPTURE(static_cast<int>(type));
            CAPTURE(static_cast<int>(heads));
            ScoreSpec spec = repeatSpec();
            spec.heads = heads;
            const Problem problem = tests::makeProblem(type, kRows, kHeads, kLengths, 64, 17);
            checkSame(problem, spec);
            spec.firstRow = 31;
            checkSame(problem, spec);
        }
}

TEST_CASE("row and column weights, and passes that need a product of their own")
{
    const Problem problem = tests::makeProblem(KvType::F16, kRows, kHeads, kLengths, 32, 5);
    ScoreSpec spec = repeatSpec();
    std::vector<float> rows = factors(kRows, 3);
    rows[40] = 0.0F;
    const std::vector<float> columns =
        factors(kHeads * std::size_t{spec.scored.end - spec.scored.begin}, 4);
    spec.rowWeights = rows;
    spec.columnWeights = columns;
    checkSame(problem, spec);
    spec = repeatSpec();
    for (const RowReduction reduction :
         {RowReduction::Last, RowReduction::Sum, RowReduction::Mean, RowReduction::Max})
        for (const Normaliser normaliser :
             {Normaliser::None, Normaliser::Subset, Normaliser::Full}) {
            spec.rows = reduction;
            spec.normaliser = normaliser;
            checkSame(problem, spec);
        }
}

TEST_CASE("few rows, limits that are no causal ones, and a scored range beyond what is seen")
{
    for (const std::size_t rows : {1U, 2U, 5U, 7U}) {
        Problem problem = tests::makeProblem(KvType::F16, rows, kHeads, kLengths, 32, 9);
        CAPTURE(rows);
        checkSame(problem, repeatSpec());
        for (EntryRange& range : problem.visible)
            range = {.begin = 70, .end = 200}; // the subset's first part is not seen
        checkSame(problem, repeatSpec());
        for (EntryRange& range : problem.visible)
            range = {};
        checkSame(problem, repeatSpec());
    }
}

TEST_CASE("numbers that are none spoil their own rows and entries only, the same in both ways")
{
    Problem problem = tests::makeProblem(KvType::F32, kRows, kHeads, kLengths, 32, 23);
    problem.q[(50 * kHeads + 1) * 32 + 3] = std::numeric_limits<float>::quiet_NaN();
    ScoreSpec spec = repeatSpec();
    // The bits of a NaN itself may differ; the scores of a maximum have none.
    const auto scoresOf = [&](bool atOnce) { return run(problem, spec, 2, atOnce).scores; };
    CHECK(scoresOf(true) == scoresOf(false));
    std::vector<float> keys = tests::randomFloats(kLengths[0] * 32, 77);
    keys[100 * 32] = std::numeric_limits<float>::quiet_NaN(); // scored: entry 100
    const std::vector<float> values = tests::randomFloats(keys.size(), 78);
    problem.owned.clear();
    problem.owned.emplace_back(KvType::F32, keys, values, 32);
    problem.lists = {problem.owned[0].view(), problem.owned[0].view()};
    for (std::size_t i = 0; i < problem.visible.size(); ++i)
        problem.visible[i] = {.begin = 0, .end = static_cast<std::uint32_t>(200 + i)};
    CHECK(scoresOf(true) == scoresOf(false));
}
