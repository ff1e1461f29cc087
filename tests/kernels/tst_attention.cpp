#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/thread_pool.h"
#include "tests/kernels/attention_support.h"

#include <array>
#include <doctest/doctest.h>
#include <limits>

using kernels::EntryRange;
using kernels::KvType;
using kernels::cpu::ThreadPool;
using tests::Problem;

namespace {

constexpr std::array kTypes = {KvType::F32, KvType::F16, KvType::Int8, KvType::Kivi4,
                               KvType::Kivi2};

struct Result
{
    std::vector<float> out;
    std::vector<float> lse;

    bool operator==(const Result&) const = default;
};

Result attend(const Problem& problem, ThreadPool& pool)
{
    Result result{.out = std::vector<float>(problem.q.size()),
                  .lse = std::vector<float>(problem.vectors())};
    kernels::cpu::attention(result.out, result.lse, problem.q, problem.lists, problem.visible,
                            problem.shape, pool);
    return result;
}

Result reference(const Problem& problem)
{
    ThreadPool pool(1);
    Result result{.out = std::vector<float>(problem.q.size()),
                  .lse = std::vector<float>(problem.vectors())};
    kernels::cpu::attentionReference({.out = result.out,
                                      .lse = result.lse,
                                      .q = problem.q,
                                      .lists = problem.lists,
                                      .visible = problem.visible,
                                      .shape = problem.shape},
                                     pool);
    return result;
}

/// The rows [first, first + count) of a problem as a problem of their own.
Problem cutRows(const Problem& problem, std::size_t first, std::size_t count)
{
    const std::size_t rowFloats = problem.shape.heads * problem.shape.headDim;
    Problem part;
    part.shape = problem.shape;
    part.shape.rows = count;
    const std::span<const float> q(problem.q);
    const auto rows = q.subspan(first * rowFloats, count * rowFloats);
    part.q.assign(rows.begin(), rows.end());
    part.lists = problem.lists;
    const std::span<const EntryRange> visible(problem.visible);
    const auto ranges =
        visible.subspan(first * problem.shape.kvHeads, count * problem.shape.kvHeads);
    part.visible.assign(ranges.begin(), ranges.end());
    return part;
}

/// Keeps only the last `width` entries that each row sees.
void applyWindow(Problem& problem, std::uint32_t width)
{
    for (EntryRange& range : problem.visible)
        range.begin = range.end > width ? range.end - width : 0;
}

void checkAgainstReference(const Problem& problem)
{
    ThreadPool pool(2);
    const Result actual = attend(problem, pool);
    const Result expected = reference(problem);
    CHECK(tests::relativeError(actual.out, expected.out) < 2e-5);
    CHECK(tests::relativeError(actual.lse, expected.lse) < 1e-5);
}

} // namespace

TEST_CASE("attention agrees with the sum written out, for awkward shapes and all page types")
{
    struct Shape
    {
        std::size_t rows, heads;
        std::vector<std::size_t> lengths;
        std::size_t headDim;
    };
    const std::array<Shape, 9> shapes = {{{1, 1, {1}, 32},
                                          {1, 4, {63}, 64},
                                          {1, 8, {700, 1100}, 64},
                                          {2, 3, {65}, 96},
                                          {7, 14, {129, 64}, 64},
                                          {13, 6, {200, 13, 77}, 128},
                                          {33, 4, {640, 33}, 32},
                                          {50, 5, {1300}, 160},
                                          {101, 2, {101, 530}, 256}}};
    for (const KvType type : kTypes)
        for (const Shape& shape : shapes) {
            CAPTURE(static_cast<int>(type));
            CAPTURE(shape.rows);
            CAPTURE(shape.headDim);
            Problem problem =
                tests::makeProblem(type, shape.rows, shape.heads, shape.lengths, shape.headDim, 5);
            checkAgainstReference(problem);
            applyWindow(problem, 70);
            checkAgainstReference(problem);
        }
}

TEST_CASE("rows that see nothing give 0 and -infinity, and lists may be empty")
{
    const std::array<std::size_t, 3> lengths = {0, 5, 90};
    for (const std::size_t rows : {std::size_t{1}, std::size_t{40}}) {
        const Problem problem = tests::makeProblem(KvType::F16, rows, 6, lengths, 64, 3);
        ThreadPool pool(2);
        const Result actual = attend(problem, pool);
        checkAgainstReference(problem);
        for (std::size_t vector = 0; vector < problem.vectors(); ++vector) {
            const std::size_t list = vector % 6 / 2;
            const EntryRange seen = problem.visible[vector / 6 * 3 + list];
            if (seen.begin < seen.end)
                continue;
            CHECK(actual.lse[vector] == -std::numeric_limits<float>::infinity());
            for (std::size_t channel = 0; channel < 64; ++channel)
                CHECK(actual.out[vector * 64 + channel] == 0.0F);
        }
    }
}

TEST_CASE("a row's bits do not depend on the threads nor on the other rows of the call")
{
    const std::array<std::size_t, 2> lengths = {1290, 760};
    for (const KvType type : kTypes)
        for (const std::size_t heads : {std::size_t{2}, std::size_t{8}, std::size_t{14}}) {
            CAPTURE(static_cast<int>(type));
            CAPTURE(heads);
            Problem problem = tests::makeProblem(type, 130, heads, lengths, 64, 9);
            applyWindow(problem, 900);
            ThreadPool one(1);
            const Result whole = attend(problem, one);
            for (const std::size_t threads : {std::size_t{2}, std::size_t{3}}) {
                ThreadPool pool(threads);
                CHECK(attend(problem, pool) == whole);
            }
            ThreadPool two(2);
            for (const std::size_t count : {std::size_t{1}, std::size_t{3}, std::size_t{26}}) {
                Result pieces;
                for (std::size_t first = 0; first < problem.shape.rows; first += count) {
                    const std::size_t rows = std::min(count, problem.shape.rows - first);
                    const Result piece = attend(cutRows(problem, first, rows), two);
                    pieces.out.insert(pieces.out.end(), piece.out.begin(), piece.out.end());
                    pieces.lse.insert(pieces.lse.end(), piece.lse.begin(), piece.lse.end());
                }
                CHECK(pieces == whole);
            }
        }
}

TEST_CASE("large logits neither overflow nor lose the winner")
{
    const std::array<std::size_t, 1> lengths = {200};
    Problem problem = tests::makeProblem(KvType::F32, 1, 1, lengths, 64, 21);
    for (float& value : problem.q)
        value *= 400.0F;
    checkAgainstReference(problem);
}

TEST_CASE("equal keys give the mean of the values and the logarithm of their number")
{
    constexpr std::size_t kRows = 600;
    std::vector<float> keys(kRows * 64, 0.25F);
    std::vector<float> values(kRows * 64);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(i / 64);
    const tests::OwnedList list(KvType::F32, keys, values, 64);
    Problem problem;
    problem.shape = {.rows = 2, .heads = 1, .kvHeads = 1, .headDim = 64, .scale = 0.125F};
    problem.q.assign(128, 0.5F);
    problem.lists = {list.view()};
    problem.visible = {{0, 300}, {1, 600}};
    ThreadPool pool(1);
    const Result result = attend(problem, pool);
    CHECK(result.out[0] == doctest::Approx(149.5).epsilon(1e-6));
    CHECK(result.out[64 + 63] == doctest::Approx(300.0).epsilon(1e-6));
    CHECK(result.lse[0] == doctest::Approx(1.0 + std::log(300.0)).epsilon(1e-6));
    CHECK(result.lse[1] == doctest::Approx(1.0 + std::log(599.0)).epsilon(1e-6));
}

TEST_CASE("operands that do not fit together are refused")
{
    const std::array<std::size_t, 1> lengths = {10};
    Problem problem = tests::makeProblem(KvType::F32, 2, 2, lengths, 32, 1);
    ThreadPool pool(1);
    std::vector<float> out(problem.q.size());
    const auto run = [&] {
        kernels::cpu::attention(out, {}, problem.q, problem.lists, problem.visible, problem.shape,
                                pool);
    };
    CHECK_NOTHROW(run());
    problem.visible[1].end = 11;
    CHECK_THROWS_AS(run(), std::invalid_argument);
    problem.visible[1].end = 10;
    problem.shape.headDim = 33;
    CHECK_THROWS_AS(run(), std::invalid_argument);
}
