// Properties of the scorers that need no file: order of the heads in a group, scores that are no
// numbers, pinned tokens, and what a bad setting is answered with.

#include "tests/engine/methods/tiny_run.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <numeric>

namespace {

using namespace engine;
using tests::KeptRows;
using tests::TinyRun;

/// Every method that chooses tokens by a score, and the wrappers.
std::vector<std::string> scorers()
{
    std::vector<std::string> ids{
        "snapkv+adakv",      "kvzip+adakv",           "keydiff+global",     "snapkv+pyramid",
        "snapkv+chunkkv",    "kvzip+uniform+chunkkv", "keydiff+chunkpress", "kvzip+chunkpress",
        "snapkv+chunkpress", "tova+uniform+compact",  "kvzip-head",         "duo-attention",
        "snapkv+minference", "kvzip+minference"};
    for (const MethodEntry& entry : methodTable()) {
        if (entry.composition != Composition::Closed)
            ids.push_back(entry.info.id);
    }
    return ids;
}

std::map<std::string, double> settingsOf(const std::string& id)
{
    std::map<std::string, double> settings;
    if (id.find("+chunkpress") != std::string::npos)
        settings["chunk"] = 100;
    if (id.starts_with("snapkv") || id == "pyramidkv")
        settings["window"] = 8;
    if (id == "duo-attention")
        settings = {{"sinks", 8}, {"recent", 16}};
    return settings;
}

std::string sentenceOf(const std::function<void()>& call)
{
    try {
        call();
    } catch (const Error& error) {
        CHECK(error.code() != ErrorCode::Internal);
        return error.what();
    }
    return "";
}

/// The sentence with which a preparation is refused.
std::string refusal(const std::string& method, double keep,
                    const std::map<std::string, double>& settings,
                    std::vector<kernels::EntryRange> pinned = {})
{
    TinyRun run;
    return sentenceOf([&] {
        DocumentPlan plan = run.plan(method, keep, settings);
        plan.pinned = std::move(pinned);
        checkPinned(findMethod(method), plan.pinned);
        run.apply(method, plan);
    });
}

} // namespace

TEST_CASE("the order of the query heads in a group does not change what is kept")
{
    TinyRun run;
    TinyRun swapped(true);
    for (const std::string& id : scorers()) {
        for (const double keep : {0.5, 0.2}) {
            INFO(id, " keep ", keep);
            const KeptRows kept =
                tests::keptRows(run.apply(id, run.plan(id, keep, settingsOf(id))));
            CHECK(kept ==
                  tests::keptRows(swapped.apply(id, swapped.plan(id, keep, settingsOf(id)))));
        }
    }
}

TEST_CASE("a seed decides, and nothing else")
{
    TinyRun run;
    for (const char* id : {"random", "compactor"}) {
        INFO(id);
        const auto keptWith = [&](double seed) {
            return tests::keptRows(run.apply(
                id, run.plan(id, 0.3, {{"seed", seed}, {id[0] == 'c' ? "sketch" : "sinks", 8}})));
        };
        CHECK(keptWith(1) == keptWith(1));
        CHECK(keptWith(1) != keptWith(2));
    }
}

TEST_CASE("pinned tokens stay in every head and are paid from the budget")
{
    TinyRun run;
    const std::vector<kernels::EntryRange> pinned{{50, 80}, {390, 400}};
    for (const std::string& id : scorers()) {
        INFO(id);
        DocumentPlan plan = run.plan(id, 0.4, settingsOf(id));
        plan.pinned = pinned;
        const KeptRows kept = tests::keptRows(run.apply(id, plan));
        std::size_t sum = 0;
        for (const auto& layer : kept) {
            for (const auto& rows : layer) {
                sum += rows.size() - plan.prefixRows();
                for (const kernels::EntryRange& range : pinned) {
                    std::vector<std::uint32_t> wanted(range.end - range.begin);
                    std::iota(wanted.begin(), wanted.end(), range.begin + plan.prefixRows());
                    CHECK(std::ranges::includes(rows, wanted));
                }
                CHECK(std::ranges::adjacent_find(rows, std::greater_equal<>()) == rows.end());
            }
        }
        const bool wholeHeads = id == "kvzip-head" || id == "duo-attention";
        const double unit = wholeHeads ? TinyRun::kTokens / 2.0 : 2;
        CHECK(std::abs(static_cast<double>(sum) - 0.4 * TinyRun::kTokens * 4) <= unit);
    }
}

TEST_CASE("tokens whose scores are no numbers are dropped and told")
{
    TinyRun run;
    // A token that occurs once, near the end: what comes before it stays sound.
    DocumentPlan plan = run.plan("knorm", 0.3);
    plan.document[380] = TinyRun::kVocabulary - 1;
    std::ranges::fill(run.embedding(TinyRun::kVocabulary - 1),
                      std::numeric_limits<float>::quiet_NaN());
    std::vector<std::string> warnings;
    const KeptRows kept = tests::keptRows(run.apply("knorm", plan, &warnings));
    for (const auto& layer : kept) {
        for (const auto& rows : layer) {
            CHECK(rows.size() == 122);
            CHECK(std::ranges::find(rows, 382U) == rows.end());
        }
    }
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].find("not numbers (NaN) for ") != std::string::npos);
    CHECK(warnings[0].find(" of 1592 scores") != std::string::npos);
    MESSAGE(warnings[0]);

    SUBCASE("when too few are left, the preparation ends")
    {
        for (const char* id : {"knorm", "kvzip+uniform", "kvzip-plus+uniform", "compactor",
                               "keydiff", "snapkv", "tova", "h2o", "expected-attention"}) {
            DocumentPlan poisoned = run.plan(id, 0.3);
            poisoned.document[0] = TinyRun::kVocabulary - 1;
            INFO(std::string(id));
            const std::string sentence = sentenceOf([&] { run.apply(id, poisoned); });
            CHECK(sentence.find("not numbers (NaN)") != std::string::npos);
        }
    }
}

TEST_CASE("what cannot be is refused in one sentence that names what can")
{
    CHECK(refusal("snapkv", 0.05, {}) ==
          "The method snapkv always keeps 0 tokens at the beginning and 32 at the end, but only 20 "
          "may stay. Raise keep, or lower the settings sinks or window.");
    CHECK(refusal("snapkv", 0.5, {{"window", 1000}}) ==
          "The method snapkv always keeps the last 1000 tokens, but the document has only 400. "
          "Choose a window of at most 399.");
    CHECK(
        refusal("snapkv+chunkpress", 0.3, {{"chunk", 50}}) ==
        "The method snapkv always keeps 0 tokens at the beginning and 32 at the end of a chunk, "
        "but only 15 may stay there. Raise keep or chunk, or lower the settings sinks or window.");
    CHECK(refusal("duo-attention", 0.3, {}) ==
          "The method duo-attention keeps 318 tokens in every head, but only 120 of 400 may stay. "
          "Raise keep, or lower the settings sinks or recent.");
    CHECK(refusal("keydiff", 0.3, {{"sink", 3}})
              .starts_with("The method keydiff has no setting \"sink\". Its settings are: sinks"));
    CHECK(refusal("keydiff", 0.3, {{"sinks", 3000}}) ==
          "The setting sinks of keydiff must be between 0 and 1024.");
    CHECK(
        refusal("keydiff", 0.3, {}, {{0, 130}}) ==
        "The pinned pages have 130 tokens, but only 120 of 400 may stay. Pin fewer pages or raise "
        "keep.");
    CHECK(refusal("streaming-llm", 0.3, {}, {{0, 10}})
              .starts_with("The method streaming-llm cannot keep pinned pages. Methods that can: "
                           "kvzip, "));
    // Where everything fits, nothing has to.
    CHECK(refusal("snapkv", 1, {{"window", 1000}}) == "");
}

TEST_CASE("KVzip+: the length of a value behind the output projection, written out")
{
    TinyRun run;
    constexpr std::size_t kDim = 32;
    std::vector<float> values(3 * kDim);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::sin(static_cast<float>(i * i));
    const std::vector<float> norms = run.norms().of(1, 1, values);
    REQUIRE(norms.size() == 2 * 3);
    const auto* output = reinterpret_cast<const float*>(run.weights().layers[1].output.data);
    for (std::size_t member = 0; member < 2; ++member) {
        for (std::size_t token = 0; token < 3; ++token) {
            double square = 0;
            for (std::size_t row = 0; row < 64; ++row) {
                double sum = 0;
                for (std::size_t c = 0; c < kDim; ++c)
                    sum += static_cast<double>(output[row * 128 + (2 + member) * kDim + c]) *
                           static_cast<double>(values[token * kDim + c]);
                square += sum * sum;
            }
            CHECK(norms[member * 3 + token] == doctest::Approx(std::sqrt(square)).epsilon(1e-5));
        }
    }
}
