// A document read with MInference's patterns, by itself and before scorers.

#include "engine/dialog/context.h"
#include "tests/engine/methods/reader_fixture.h"
#include "tests/engine/methods/tiny_run.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <limits>

namespace {

using namespace engine;
using tests::TinyRun;
using Settings = std::map<std::string, double>;

// The words of the setting pattern.
constexpr double kAuto = 0;
constexpr double kAShape = 1;
constexpr double kVerticalSlash = 2;
constexpr double kBlockSparse = 3;

PrepareOptions optionsOf(const std::string& method, const Settings& settings = {})
{
    PrepareOptions options;
    options.method = method;
    options.store = KvType::F16;
    options.settings = settings;
    return options;
}

std::vector<std::vector<std::byte>> payload(const Context& context)
{
    std::vector<std::vector<std::byte>> segments;
    for (std::size_t index = 1; index < segmentCount(context); ++index)
        segments.push_back(writeSegment(context, index));
    return segments;
}

/// Values of all layers and heads for the entries [0, entries).
std::vector<float> valuesOf(const KvStore& store, std::uint32_t entries)
{
    const KvShape shape = store.shape();
    std::vector<float> all;
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            std::vector<float> values(std::size_t{entries} * shape.headDim);
            store.list(layer, head).readValues(values, 0, shape.headDim);
            all.insert(all.end(), values.begin(), values.end());
        }
    }
    return all;
}

const std::vector<Settings>& smallPatterns()
{
    static const std::vector<Settings> kPatterns{
        {{"pattern", kAShape}, {"initial", 10}, {"local", 20}, {"pattern-rows", 128}},
        {{"pattern", kVerticalSlash}, {"vertical", 40}, {"slash", 50}, {"pattern-rows", 128}},
        {{"pattern", kBlockSparse}, {"blocks", 3}, {"pattern-rows", 128}},
    };
    return kPatterns;
}

} // namespace

TEST_CASE("patterns that cover everything give the bits of full, small ones do not")
{
    TinyRun run;
    const std::vector<float> full = valuesOf(run.apply("full", run.plan("full", 1)), 402);
    const std::vector<Settings> whole{
        {{"pattern", kAuto}}, // candidates of 800 tokens for a document of 400
        {{"pattern", kAShape}, {"initial", 1}, {"local", 402}, {"pattern-rows", 128}},
        {{"pattern", kVerticalSlash}, {"vertical", 402}, {"slash", 50}, {"pattern-rows", 128}},
        {{"pattern", kVerticalSlash}, {"vertical", 30}, {"slash", 402}, {"pattern-rows", 100}},
        {{"pattern", kBlockSparse}, {"blocks", 7}, {"pattern-rows", 128}}};
    for (const Settings& settings : whole) {
        CAPTURE(settings.at("pattern"));
        CHECK(valuesOf(run.apply("minference", run.plan("minference", 1, settings)), 402) == full);
    }
    for (const Settings& settings : smallPatterns()) {
        CAPTURE(settings.at("pattern"));
        CHECK(valuesOf(run.apply("minference", run.plan("minference", 1, settings)), 402) != full);
    }
}

TEST_CASE("what comes after a piece does not change it")
{
    TinyRun run;
    for (Settings settings : smallPatterns()) {
        CAPTURE(settings.at("pattern"));
        DocumentPlan plan = run.plan("minference", 1, settings);
        const auto whole = valuesOf(run.apply("minference", plan), 256);
        plan.document.resize(254); // with the prefix two pieces
        CHECK(valuesOf(run.apply("minference", plan), 256) == whole);
        std::ranges::fill(plan.document, 9);
        CHECK(valuesOf(run.apply("minference", plan), 256) != whole);
    }
}

TEST_CASE("the number of threads changes no bit, an interrupted reading none either")
{
    const std::string text = tests::makeText(700);
    for (const std::string id : {"minference", "snapkv+minference"}) {
        for (Settings settings : smallPatterns()) {
            PrepareOptions options = optionsOf(id, settings);
            options.keep = 0.4;
            CAPTURE(id);
            CAPTURE(settings.at("pattern"));
            const auto one = tests::prepare(tests::loadReader(1), text, options);
            const auto model = tests::loadReader(3);
            CHECK(payload(*tests::prepare(model, text, options)) == payload(*one));

            Preparation first(model, text, options);
            std::vector<std::vector<std::byte>> checkpoints;
            for (int job = 0; job < 3; ++job) {
                REQUIRE(first.advance());
                checkpoints.push_back(first.takeCheckpoint());
            }
            Preparation second(model, text, options);
            for (const auto& checkpoint : checkpoints)
                second.restore(checkpoint);
            while (second.advance()) {
            }
            while (first.advance()) {
            }
            CHECK(second.warnings() == first.warnings());
            CHECK(payload(*second.finish()) == payload(*one));
        }
    }
}

TEST_CASE("behind a scorer the patterns change what is read, not what the method keeps of it")
{
    TinyRun run;
    for (const std::string id : {"snapkv", "h2o", "kvzip+uniform", "keydiff"}) {
        CAPTURE(id);
        const auto plain = tests::keptRows(run.apply(id, run.plan(id, 0.3)));
        const std::string composed = id + "+minference";
        // With patterns for everything the two are the same method.
        CHECK(tests::keptRows(run.apply(composed, run.plan(composed, 0.3))) == plain);
        const KvStore store = run.apply(composed, run.plan(composed, 0.3,
                                                           {{"pattern", kVerticalSlash},
                                                            {"vertical", 30},
                                                            {"slash", 50},
                                                            {"pattern-rows", 128}}));
        const auto kept = tests::keptRows(store);
        CHECK(kept != plain);
        for (const auto& layer : kept)
            for (const auto& rows : layer)
                CHECK(rows.size() == plain.front().front().size());
        CHECK(kept.front() == plain.front()); // the first layer's inputs are the same
    }
}

TEST_CASE("an estimate with values that are no numbers is told, and the reading ends")
{
    TinyRun run;
    DocumentPlan plan = run.plan("minference", 1, smallPatterns()[1]);
    plan.document[380] = TinyRun::kVocabulary - 1;
    std::ranges::fill(run.embedding(TinyRun::kVocabulary - 1),
                      std::numeric_limits<float>::quiet_NaN());
    std::vector<std::string> warnings;
    const KvStore store = run.apply("minference", plan, &warnings);
    CHECK(store.list(1, 1).length() == 402);
    REQUIRE(!warnings.empty());
    // The piece that has the token and the one behind it, four heads; the last layer is not
    // attended to.
    CHECK(warnings[0] ==
          "The model gave minference values that are not numbers (NaN) in 8 of 16 estimates of "
          "what a head reads; they counted as the lowest. The model's file may be damaged.");
}

TEST_CASE("patterns that miss most of the attention are told with a way out")
{
    TinyRun run;
    std::vector<std::string> warnings;
    run.apply("minference", run.plan("minference", 1), &warnings);
    CHECK(warnings.empty());
    run.apply("minference",
              run.plan("minference", 1,
                       {{"pattern", kBlockSparse}, {"blocks", 1}, {"pattern-rows", 256}}),
              &warnings);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].starts_with("The patterns of minference cover only "));
    MESSAGE(warnings[0]);
}

TEST_CASE("the settings have words and ranges, also behind a scorer")
{
    CHECK(parseSetting("minference", "pattern", "block-sparse") == kBlockSparse);
    CHECK(parseSetting("snapkv+minference", "pattern", "a-shape") == kAShape);
    CHECK_THROWS_WITH_AS(parseSetting("minference", "pattern", "dense"),
                         "The setting pattern cannot be \"dense\". Write one of: auto, a-shape, "
                         "vertical-slash, block-sparse.",
                         Error);
    CHECK_THROWS_AS(completeSettings(findMethod("minference").info, {{"vertical", 29}}), Error);
    CHECK_THROWS_AS(completeSettings(findMethod("minference").info, {{"pattern", 4}}), Error);
    try {
        findMethod("quest+minference");
        FAIL("composed");
    } catch (const Error& error) {
        CHECK(std::string(error.what()) ==
              "The method quest decides itself what is read, so minference cannot. Use minference "
              "alone, or behind a method that scores tokens, for instance snapkv+minference.");
    }
}
