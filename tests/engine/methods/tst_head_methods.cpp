// Methods that rank whole heads: the table, what they keep, and reading with streaming heads.

#include "engine/dialog/context.h"
#include "engine/methods/head_table.h"
#include "engine/methods/method.h"
#include "tests/engine/methods/reader_fixture.h"
#include "tests/engine/methods/tiny_run.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;
using tests::KeptRows;
using tests::TinyRun;

const HeadTableOrigin kOrigin{"abc", "rope 1 none dims=32", 2, 2};

ErrorCode codeOf(const std::string& table, const HeadTableOrigin& expected)
{
    try {
        readHeadTable(table, expected);
    } catch (const Error& error) {
        MESSAGE(error.what());
        return error.code();
    }
    return ErrorCode::Internal;
}

/// Rows that every head keeps: the prefix, `sinks` rows in all, and the last `recent`.
std::vector<std::uint32_t> ends(std::uint32_t sinks, std::uint32_t recent, std::uint32_t total)
{
    std::vector<std::uint32_t> rows(sinks + recent);
    std::iota(rows.begin(), rows.begin() + sinks, 0U);
    std::iota(rows.begin() + sinks, rows.end(), total - recent);
    return rows;
}

/// The largest difference of the first `rows` keys of two stores' list (1, 0).
double largestDifference(const KvStore& one, const KvStore& other, std::size_t rows)
{
    std::vector<float> a(rows * 32);
    std::vector<float> b(a.size());
    one.list(1, 0).readKeys(a, 0, 32);
    other.list(1, 0).readKeys(b, 0, 32);
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        largest = std::max(largest, std::abs(static_cast<double>(a[i] - b[i])));
    return largest;
}

} // namespace

TEST_CASE("a head table comes back as it was written")
{
    const std::vector<float> scores{0.25F, 1e-7F, 1.0F, 0.3333333F};
    const std::string text = writeHeadTable(kOrigin, scores);
    CHECK(text == "# Epitome head table 1\n# model abc\n# rope 1 none dims=32\n0.25\t1e-07\n"
                  "1\t0.3333333\n");
    CHECK(readHeadTable(text, kOrigin) == scores);
}

TEST_CASE("a head table for another model, other positions, or another shape is refused")
{
    const std::string text = writeHeadTable(kOrigin, {0.25F, 0.5F, 1.0F, 0.75F});
    HeadTableOrigin other = kOrigin;
    other.rope = "rope 1 yarn dims=32";
    CHECK(codeOf(text, other) == ErrorCode::Mismatch);
    other = kOrigin;
    other.model = "abd";
    CHECK(codeOf(text, other) == ErrorCode::Mismatch);
    other = kOrigin;
    other.kvHeads = 4;
    CHECK(codeOf(text, other) == ErrorCode::Damaged);
    other = kOrigin;
    other.layers = 3;
    CHECK(codeOf(text, other) == ErrorCode::Damaged);
    CHECK(codeOf("", kOrigin) == ErrorCode::Damaged);
    CHECK(codeOf(text + "0\t0\n", kOrigin) == ErrorCode::Damaged);
    CHECK(codeOf(text.substr(0, text.size() - 5) + "\tnan\n", kOrigin) == ErrorCode::Damaged);
}

TEST_CASE("KVzip at head level keeps the best heads whole and empties the others")
{
    TinyRun run;
    DocumentPlan plan = run.plan("kvzip-head", 0.5);
    plan.headScores = {0.1F, 0.9F, 0.8F, 0.2F};
    const KeptRows kept = tests::keptRows(run.apply("kvzip-head", plan));
    CHECK(kept[0][0] == std::vector<std::uint32_t>{0, 1}); // the prefix
    CHECK(kept[0][1].size() == 402);
    CHECK(kept[1][0].size() == 402);
    CHECK(kept[1][1].size() == 2);
}

TEST_CASE("DuoAttention: streaming heads keep both ends at their true positions")
{
    TinyRun run;
    const std::map<std::string, double> settings{{"sinks", 8}, {"recent", 30}};
    DocumentPlan plan = run.plan("duo-attention", 0.55, settings);
    plan.headScores = {0.1F, 0.9F, 0.8F, 0.2F};
    const KvStore store = run.apply("duo-attention", plan);
    const KeptRows kept = tests::keptRows(store);
    CHECK(kept[0][1].size() == 402);
    CHECK(kept[1][0].size() == 402);
    CHECK(kept[0][0] == ends(8, 30, 402));
    CHECK(kept[1][1] == ends(8, 30, 402));
    CHECK(store.nextPosition() == 402);

    // Read in other pieces, the keys of the upper layer are the same but for rounding (entries lie
    // in other places of their pages): each row saw its own window and not its block.
    for (const std::uint32_t rows : {17U, 64U, 500U}) {
        plan.blockRows = rows;
        const KvStore other = run.apply("duo-attention", plan);
        CHECK(tests::keptRows(other) == kept);
        CHECK(largestDifference(other, store, 402) < 1e-4);
    }

    SUBCASE("the streaming heads did stream while reading")
    {
        const KvStore full = run.apply("full", run.plan("full", 1));
        CHECK(largestDifference(full, store, 38) < 1e-4); // which see everything in both
        CHECK(largestDifference(full, store, 402) > 1e-2);
    }
    SUBCASE("with every head retrieving it is the full cache")
    {
        plan.keep = 0.99; // rounds to all four heads
        const KvStore all = run.apply("duo-attention", plan);
        const KvStore full = run.apply("full", run.plan("full", 1));
        CHECK(tests::keptRows(all) == tests::keptRows(full));
        CHECK(largestDifference(all, full, 402) < 1e-4);
    }
}

TEST_CASE("a table measured on the document makes the choice of the document, without scoring it")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    const std::string table = measureHeadTable(model, text);
    MESSAGE(table);
    for (const char* method : {"kvzip-head", "duo-attention"}) {
        INFO(std::string(method));
        PrepareOptions options;
        options.method = method;
        options.keep = 0.5;
        options.settings["sample"] = 1e6;
        if (options.method == "duo-attention") {
            options.settings["sinks"] = 16;
            options.settings["recent"] = 64;
        }
        const auto measured = tests::prepare(model, text, options);
        options.headTable = table;
        Preparation preparation(model, text, options);
        while (preparation.advance()) {
        }
        for (const MemorySample& sample : preparation.ledger())
            CHECK(sample.phase == "Reading");
        const auto given = preparation.finish();
        CHECK(keptCounts(*given) == keptCounts(*measured));
        CHECK(retentionMap(*given) == retentionMap(*measured));
    }
    PrepareOptions options;
    options.method = "keydiff";
    options.headTable = table;
    CHECK_THROWS_WITH_AS(Preparation(model, text, options),
                         "The method keydiff uses no head table. Leave it out, or choose "
                         "kvzip-head or duo-attention.",
                         Error);
    CHECK_THROWS_AS(measureHeadTable(model, "Too short."), Error);
}
