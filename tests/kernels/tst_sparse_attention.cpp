// Attention over a part of the entries, and the weights that such a part is chosen by, against
// dense attention and against sums written out in double precision.

#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/attention_rows.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/sparse_attention.h"
#include "tests/kernels/attention_support.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <numeric>

namespace {

using namespace kernels;
using tests::makeProblem;
using tests::Problem;

constexpr KvType kTypes[] = {KvType::F32, KvType::F16, KvType::Int8, KvType::Kivi4, KvType::Kivi2};

struct Result
{
    std::vector<float> out;
    std::vector<float> lse;

    bool operator==(const Result&) const = default;
};

Result dense(const Problem& problem)
{
    cpu::ThreadPool pool(2);
    Result result{std::vector<float>(problem.q.size()), std::vector<float>(problem.vectors())};
    cpu::attention(result.out, result.lse, problem.q, problem.lists, problem.visible, problem.shape,
                   pool);
    return result;
}

Result sparse(const Problem& problem, const std::vector<SparsePattern>& patterns,
              unsigned threads = 2)
{
    cpu::ThreadPool pool(threads);
    Result result{std::vector<float>(problem.q.size()), std::vector<float>(problem.vectors())};
    cpu::sparseAttention(result.out, result.lse, problem.q, problem.lists, problem.visible,
                         patterns, problem.shape, pool);
    return result;
}

Result reference(const Problem& problem, const std::vector<SparsePattern>& patterns)
{
    cpu::ThreadPool pool(2);
    Result result{std::vector<float>(problem.q.size()), std::vector<float>(problem.vectors())};
    cpu::sparseAttentionReference({.out = result.out,
                                   .lse = result.lse,
                                   .q = problem.q,
                                   .lists = problem.lists,
                                   .visible = problem.visible,
                                   .shape = problem.shape},
                                  patterns, pool);
    return result;
}

std::size_t tilesOf(const Problem& problem)
{
    return (problem.shape.rows + kPatternRows - 1) / kPatternRows;
}

std::uint32_t lengthFor(const Problem& problem, std::size_t head)
{
    return problem.lists[head / (problem.shape.heads / problem.shape.kvHeads)].length;
}

std::vector<SparsePattern> allPages(const Problem& problem)
{
    std::vector<SparsePattern> patterns(problem.shape.heads);
    for (std::size_t head = 0; head < patterns.size(); ++head) {
        std::vector<std::uint32_t> pages((lengthFor(problem, head) + kPageRows - 1) / kPageRows);
        std::iota(pages.begin(), pages.end(), 0U);
        patterns[head].pages.assign(tilesOf(problem), pages);
    }
    return patterns;
}

/// Some pages for each tile and some columns, overlapping; every head has others.
std::vector<SparsePattern> somePattern(const Problem& problem, double pageShare, double columnShare)
{
    std::mt19937 generator(7);
    std::uniform_real_distribution<double> uniform(0, 1);
    std::vector<SparsePattern> patterns(problem.shape.heads);
    for (std::size_t head = 0; head < patterns.size(); ++head) {
        const std::uint32_t length = lengthFor(problem, head);
        patterns[head].pages.resize(tilesOf(problem));
        for (auto& pages : patterns[head].pages)
            for (std::uint32_t page = 0; page * kPageRows < length; ++page)
                if (uniform(generator) < pageShare)
                    pages.push_back(page);
        for (std::uint32_t entry = 0; entry < length; ++entry)
            if (uniform(generator) < columnShare)
                patterns[head].columns.push_back(entry);
    }
    return patterns;
}

Problem problemOf(KvType type)
{
    const std::size_t lengths[] = {1500, 901};
    return makeProblem(type, 150, 6, lengths, 64, 3);
}

} // namespace

TEST_CASE("with all pages the result has the bits of dense attention")
{
    for (const KvType type : kTypes) {
        const Problem problem = problemOf(type);
        CAPTURE(static_cast<int>(type));
        CHECK(sparse(problem, allPages(problem)) == dense(problem));
    }
}

TEST_CASE("all entries as columns are dense attention up to rounding")
{
    const Problem problem = problemOf(KvType::F16);
    auto patterns = allPages(problem);
    for (std::size_t head = 0; head < patterns.size(); ++head) {
        patterns[head].pages.assign(tilesOf(problem), {});
        patterns[head].columns.resize(lengthFor(problem, head));
        std::iota(patterns[head].columns.begin(), patterns[head].columns.end(), 0U);
    }
    const Result actual = sparse(problem, patterns);
    const Result expected = dense(problem);
    CHECK(tests::relativeError(actual.out, expected.out) < 3e-6);
    CHECK(tests::relativeError(actual.lse, expected.lse) < 3e-6);
}

TEST_CASE("pages and columns together: each entry once, as summed in double precision")
{
    for (const KvType type : kTypes) {
        const Problem problem = problemOf(type);
        for (const auto& [pages, columns] : {std::pair(0.3, 0.05), std::pair(0.6, 0.5),
                                             std::pair(0.0, 0.2), std::pair(0.2, 0.0)}) {
            CAPTURE(static_cast<int>(type));
            CAPTURE(pages);
            const auto patterns = somePattern(problem, pages, columns);
            const Result actual = sparse(problem, patterns);
            const Result expected = reference(problem, patterns);
            CHECK(tests::relativeError(actual.out, expected.out) < 5e-6);
            CHECK(tests::relativeError(actual.lse, expected.lse) < 5e-6);
        }
    }
}

TEST_CASE("the number of threads changes no bit, and rows in pieces are the rows of the whole")
{
    const std::size_t lengths[] = {1500, 901};
    const Problem whole = makeProblem(KvType::F16, 256, 6, lengths, 64, 3);
    const auto patterns = somePattern(whole, 0.3, 0.1);
    const Result expected = sparse(whole, patterns, 1);
    CHECK(sparse(whole, patterns, 3) == expected);

    Result joined;
    for (std::size_t begin = 0; begin < 256; begin += 128) {
        Problem part = whole;
        part.shape.rows = 128;
        const std::size_t floats = 128 * 6 * 64;
        part.q.assign(whole.q.begin() + static_cast<std::ptrdiff_t>(begin / 128 * floats),
                      whole.q.begin() + static_cast<std::ptrdiff_t>((begin / 128 + 1) * floats));
        part.visible.assign(whole.visible.begin() + static_cast<std::ptrdiff_t>(begin * 2),
                            whole.visible.begin() + static_cast<std::ptrdiff_t>(begin * 2 + 256));
        auto own = patterns;
        for (SparsePattern& pattern : own)
            pattern.pages = {pattern.pages[begin / 64], pattern.pages[begin / 64 + 1]};
        const Result result = sparse(part, own);
        joined.out.insert(joined.out.end(), result.out.begin(), result.out.end());
        joined.lse.insert(joined.lse.end(), result.lse.begin(), result.lse.end());
    }
    CHECK(joined == expected);
}

TEST_CASE("what comes after a row does not reach it")
{
    const std::size_t lengths[] = {400};
    const auto keys = tests::randomFloats(400 * 64, 1);
    auto changed = keys;
    std::fill(changed.begin() + 350 * 64, changed.end(), 9.0F);
    const tests::OwnedList list(KvType::F32, keys, keys, 64);
    const tests::OwnedList other(KvType::F32, changed, changed, 64);
    Problem before = makeProblem(KvType::F32, 100, 4, lengths, 64, 3);
    Problem after = before;
    before.lists = {list.view()};
    after.lists = {other.view()};
    for (const auto& patterns : {somePattern(before, 0.5, 0.3), allPages(before)}) {
        const Result first = sparse(before, patterns);
        const Result second = sparse(after, patterns);
        const std::size_t same = 50 * 4 * 64; // row r sees 301 + r entries
        CHECK(std::equal(first.out.begin(), first.out.begin() + same, second.out.begin()));
        CHECK(!std::equal(first.out.begin() + same, first.out.end(), second.out.begin() + same));
    }
}

TEST_CASE("a row of which nothing is left gets zeros")
{
    const Problem problem = problemOf(KvType::F16);
    std::vector<SparsePattern> patterns(6);
    for (SparsePattern& pattern : patterns)
        pattern.pages.resize(tilesOf(problem));
    const Result result = sparse(problem, patterns);
    CHECK(std::ranges::all_of(result.out, [](float each) { return each == 0.0F; }));
    CHECK(std::ranges::all_of(
        result.lse, [](float each) { return each == -std::numeric_limits<float>::infinity(); }));
}

TEST_CASE("patterns that do not fit are refused")
{
    const Problem problem = problemOf(KvType::F16);
    const auto fitting = allPages(problem);
    auto patterns = fitting;
    patterns.pop_back();
    CHECK_THROWS_AS(sparse(problem, patterns), std::invalid_argument);
    patterns = fitting;
    patterns[0].pages.pop_back();
    CHECK_THROWS_AS(sparse(problem, patterns), std::invalid_argument);
    patterns = fitting;
    patterns[5].columns = {901};
    CHECK_THROWS_AS(sparse(problem, patterns), std::invalid_argument);
    patterns = fitting;
    patterns[0].columns = {5, 5};
    CHECK_THROWS_AS(sparse(problem, patterns), std::invalid_argument);
    patterns = fitting;
    patterns[5].pages[0].push_back(15);
    CHECK_THROWS_AS(sparse(problem, patterns), std::invalid_argument);
}

TEST_CASE("attention weights are the softmax of what a row sees")
{
    for (const KvType type : kTypes) {
        const Problem problem = problemOf(type);
        const std::size_t stride = weightStride(901);
        cpu::ThreadPool pool(2);
        std::vector<float> weights(64 * stride, 9.0F);
        cpu::attentionWeights(weights, problem.q, problem.lists, problem.visible, 4, 86,
                              problem.shape, pool);
        double worst = 0;
        for (std::size_t row = 0; row < 64; ++row) {
            const EntryRange range = problem.visible[(86 + row) * 2 + 1];
            const auto query = std::span(problem.q).subspan(((86 + row) * 6 + 4) * 64, 64);
            const auto logits =
                cpu::logits(query, cpu::readKeys(problem.lists[1], range, 64), problem.shape.scale);
            const double total = cpu::logSumExp(logits);
            for (std::size_t entry = 0; entry < stride; ++entry) {
                const double expected = entry < range.end ? std::exp(logits[entry] - total) : 0.0;
                worst = std::max(
                    worst, std::abs(static_cast<double>(weights[row * stride + entry]) - expected));
            }
        }
        CAPTURE(static_cast<int>(type));
        CHECK(worst < 2e-6);
    }
}

TEST_CASE("a key that is no number leaves NaN in its place and the rest of the row sound")
{
    const std::size_t lengths[] = {200};
    Problem problem = makeProblem(KvType::F32, 64, 1, lengths, 32, 5);
    auto keys = tests::randomFloats(200 * 32, 8);
    keys[70 * 32 + 3] = std::numeric_limits<float>::quiet_NaN();
    const tests::OwnedList list(KvType::F32, keys, keys, 32);
    problem.lists = {list.view()};
    cpu::ThreadPool pool(1);
    const std::size_t stride = weightStride(200);
    std::vector<float> weights(64 * stride);
    cpu::attentionWeights(weights, problem.q, problem.lists, problem.visible, 0, 0, problem.shape,
                          pool);
    for (std::size_t row = 0; row < 64; ++row) {
        double sum = 0;
        for (std::size_t entry = 0; entry < stride; ++entry) {
            if (entry == 70)
                CHECK(std::isnan(weights[row * stride + entry]));
            else
                sum += static_cast<double>(weights[row * stride + entry]);
        }
        CHECK(sum == doctest::Approx(1.0).epsilon(1e-5));
    }
}
