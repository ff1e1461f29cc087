// PoD with SnapKV among the distant tokens (structural.md 5.6), and skipping while questions are
// answered, on prepared documents.

#include "engine/dialog/context.h"
#include "engine/eval/layer_similarity.h"
#include "engine/methods/layer_grouping.h"
#include "engine/methods/method.h"
#include "engine/methods/pod_answer.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;

constexpr std::uint32_t kSinks = 8;
constexpr std::uint32_t kRecent = 64;
constexpr double kKeep = 0.3;

PrepareOptions podOptions(double group)
{
    PrepareOptions options;
    options.method = "pod+snapkv";
    options.keep = kKeep;
    options.store = KvType::F16;
    options.blockRows = 256;
    options.settings = {{"group", group}, {"sinks", kSinks}, {"recent", kRecent}};
    return options;
}

PrepareOptions optionsOf(const std::string& method)
{
    PrepareOptions options;
    options.method = method;
    options.keep = kKeep;
    options.store = KvType::F16;
    options.blockRows = 256;
    return options;
}

std::vector<std::uint32_t> rowsOf(const Context& context, std::uint32_t layer, std::uint32_t head)
{
    return tests::rowsOf(context.store().list(layer, head));
}

std::uint64_t pageBytes(const Context& context)
{
    std::uint64_t total = 0;
    const KvShape shape = context.store().shape();
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            for (const auto& page : context.store().list(layer, head).pages())
                total += page->keys.size() + page->values.size();
        }
    }
    return total;
}

std::string refusal(const std::shared_ptr<LoadedModel>& model, const std::string& text,
                    const PrepareOptions& options)
{
    try {
        const Preparation preparation(model, text, options);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

} // namespace

TEST_CASE("where every layer owns its keys, the chosen tokens are those of SnapKV")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(700);
    PrepareOptions options = podOptions(1);
    options.settings["sinks"] = 0;
    options.settings["recent"] = 32;
    const auto pod = tests::prepare(model, text, options);
    const auto snapkv = tests::prepare(model, text, optionsOf("snapkv"));
    const KvShape shape = pod->store().shape();
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head)
            CHECK(rowsOf(*pod, layer, head) == rowsOf(*snapkv, layer, head));
    }
    for (std::size_t index = 1; index < segmentCount(*snapkv); ++index)
        CHECK(writeSegment(*pod, index) == writeSegment(*snapkv, index));
}

TEST_CASE("the owner decides for its block, and near tokens stay")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(900);
    const auto context = tests::prepare(model, text, podOptions(2));
    // What the lowest layer would choose by itself: nothing of it depends on the layers above.
    const auto alone = tests::prepare(model, text, podOptions(1));
    const ContextInfo& info = contextInfo(*context);
    const auto total = static_cast<std::uint32_t>(info.prefixTokens + info.tokens);
    const auto kept =
        static_cast<std::uint32_t>(std::floor(kKeep * static_cast<double>(info.tokens) + 0.5));
    for (std::uint32_t head = 0; head < info.kvHeads; ++head) {
        const auto rows = rowsOf(*context, 0, head);
        CHECK(rows == rowsOf(*alone, 0, head));
        CHECK(rows == rowsOf(*context, 1, head));
        CHECK(rows.size() == info.prefixTokens + kept);
        for (std::uint32_t row = 0; row < std::max<std::uint64_t>(kSinks, info.prefixTokens); ++row)
            CHECK(rows[row] == row);
        for (std::uint32_t i = 1; i <= kRecent; ++i)
            CHECK(rows[rows.size() - i] == total - i);
    }
    // The head that compares would have chosen others.
    CHECK(rowsOf(*context, 1, 3) != rowsOf(*alone, 1, 3));
    CHECK(info.keptFraction == doctest::Approx(kKeep).epsilon(0.001));
    CHECK(context->store().nextPosition() == static_cast<std::int32_t>(total));
}

TEST_CASE("keeping and sharing multiply: the bytes are those of the formula, within a page a list")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(900);
    const auto full = tests::prepare(model, text, optionsOf("full"));
    const auto context = tests::prepare(model, text, podOptions(2));
    const ContextInfo& info = contextInfo(*context);
    const KvShape shape = context->store().shape();
    const std::uint64_t kept = context->store().list(0, 0).length();
    const double saving =
        sharedKeySaving(fixedGroups(info.layers, info.kvHeads, 2), kept, kSinks + kRecent);
    const double wanted = static_cast<double>(kept) /
                          static_cast<double>(full->store().rowCount()) * (1 - saving) *
                          static_cast<double>(pageBytes(*full));
    const auto lists = static_cast<double>(shape.layers * shape.kvHeads);
    const double page = 64.0 * shape.headDim * 2 * 2; // keys and values
    MESSAGE("pages ", pageBytes(*context), " bytes, formula ", wanted, " of ", pageBytes(*full));
    CHECK(static_cast<double>(pageBytes(*context)) >= wanted - page * lists);
    CHECK(static_cast<double>(pageBytes(*context)) <= wanted + page * lists);
    CHECK(static_cast<double>(pageBytes(*context)) < 0.27 * static_cast<double>(pageBytes(*full)));
}

TEST_CASE("it is stored, loaded, interrupted and asked like any other")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(700);
    for (const KvType store : {KvType::F16, KvType::Kivi4}) {
        for (const double group : {2.0, 0.0}) {
            PrepareOptions options = podOptions(group);
            options.store = store;
            options.settings["similarity"] = 20; // so that measured layers share, too
            Preparation whole(model, text, options);
            std::vector<std::vector<std::byte>> pieces;
            for (bool more = true; more;) {
                more = whole.advance();
                pieces.push_back(whole.takeCheckpoint());
            }
            CHECK(whole.warnings().empty());
            const auto context = whole.finish();
            const auto stored = loadContext(
                model, [&](std::size_t index) { return writeSegment(*context, index); }, {});
            const std::string question = text.substr(text.size() / 2, 60);
            Conversation first(model, context);
            Conversation second(model, stored);
            CHECK(first.ask(question, {.maxTokens = 8}, {}).text ==
                  second.ask(question, {.maxTokens = 8}, {}).text);
            for (std::size_t stop = 0; stop <= pieces.size(); ++stop) {
                Preparation resumed(model, text, options);
                for (std::size_t i = 0; i < stop; ++i)
                    resumed.restore(pieces[i]);
                while (resumed.advance()) {
                }
                const auto again = resumed.finish();
                INFO("stopped after ", stop, " of ", pieces.size());
                REQUIRE(segmentCount(*again) == segmentCount(*context));
                for (std::size_t index = 1; index < segmentCount(*again); ++index)
                    CHECK(writeSegment(*again, index) == writeSegment(*context, index));
            }
        }
    }
}

TEST_CASE("with everything kept it is pod, and pinned pages stay with both")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(500);
    PrepareOptions options = podOptions(2);
    options.keep = 1;
    const auto all = tests::prepare(model, text, options);
    options.method = "pod";
    const auto pod = tests::prepare(model, text, options);
    REQUIRE(segmentCount(*all) == segmentCount(*pod));
    for (std::size_t index = 1; index < segmentCount(*pod); ++index)
        CHECK(writeSegment(*all, index) == writeSegment(*pod, index));

    options = podOptions(2);
    options.pinned = {{400, 700}};
    const auto pinned = tests::prepare(model, text, options);
    const auto ranges = tokenRanges(*pinned);
    const auto map = retentionMap(*pinned);
    for (std::size_t token = 0; token < ranges.size(); ++token) {
        if (ranges[token].end > 400 && ranges[token].begin < 700)
            CHECK(map[token] == contextInfo(*pinned).layers * contextInfo(*pinned).kvHeads);
    }
    CHECK(contextInfo(*pinned).keptFraction == doctest::Approx(kKeep).epsilon(0.002));
    options.method = "pod";
    CHECK(contextInfo(*tests::prepare(model, text, options)).keptFraction == 1);
}

TEST_CASE("the share from which distant tokens are left out reaches the rows of questions")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    for (const double skip : {0.0, 70.0, 100.0, 101.0}) {
        PrepareOptions options = podOptions(2);
        options.method = "pod";
        options.settings["skip"] = skip;
        const auto context = tests::prepare(model, text, options);
        const auto answer = makePodAnswer(*context);
        const std::vector<std::uint32_t> rows{context->store().rowCount() - 1};
        for (std::uint32_t layer = 0; layer < 2; ++layer) {
            LayerStep step;
            step.layer = layer;
            step.rows = rows;
            step.store = &context->store();
            std::vector<Segment> segments;
            answer->segments(step, segments);
            if (skip > 100 && layer == 0) {
                CHECK(segments.empty()); // attends densely
                continue;
            }
            REQUIRE(segments.size() == 3);
            CHECK(segments[2].nearShare.has_value() == (skip <= 100));
            CHECK(segments[2].nearShare.value_or(0) ==
                  doctest::Approx(skip <= 100 ? skip / 100 : 0));
            CHECK(segments[2].keepsLse == (layer == 0));
        }
        Conversation conversation(model, context);
        CHECK(conversation.ask(text.substr(100, 60), {.maxTokens = 8}, {}).tokensReread == 0);
    }
}

TEST_CASE("what does not go together is refused in one sentence")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    PrepareOptions options = podOptions(2);
    options.settings["recent"] = 4080;
    const std::string sentence = refusal(model, text, options);
    CHECK(sentence.starts_with("The method pod+snapkv keeps 40"));
    CHECK(sentence.ends_with("may stay. Raise keep, or lower the settings sinks or recent."));
    options = podOptions(2);
    options.settings["kernel"] = 4;
    CHECK(refusal(model, text, options) == "The setting kernel of pod+snapkv must be odd.");
    options = podOptions(2);
    options.settings["skip"] = 70;
    options.settings["scores"] = 0;
    CHECK(
        refusal(model, text, options).starts_with("The setting skip of pod needs shared queries"));
    const auto refusedId = [](const std::string& id) {
        try {
            findMethod(id);
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(refusedId("kvzip+snapkv") ==
          "The stage snapkv chooses among the distant tokens of pod, and kvzip has none. Use "
          "pod+snapkv, or the method snapkv alone.");
    for (const char* id : {"pod+adakv", "pod+snapkv+adakv", "pod+snapkv+compact"})
        CHECK(refusedId(id).starts_with("The method pod gives tokens no scores"));
    CHECK(allowedStages(findMethod("pod")) == std::vector<std::string>{"snapkv"});
    CHECK(findMethod("pod+snapkv").info.usesKeep);
    CHECK_FALSE(findMethod("pod").info.usesKeep);
}

TEST_CASE("the report on layers has a symmetric matrix for each head, and the groups of pod")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    const LayerSimilarityReport report =
        measureLayerSimilarity(model, text, {{"similarity", 30}, {"calibration", 256}});
    CHECK(report.tokens == 256);
    CHECK(report.rows == 16);
    CHECK(report.similarity.size() == std::size_t{report.kvHeads} * report.layers * report.layers);
    const auto at = [&](std::uint32_t head, std::uint32_t a, std::uint32_t b) {
        return report.similarity[(std::size_t{head} * report.layers + a) * report.layers + b];
    };
    std::uint32_t blocks = 0;
    for (std::uint32_t head = 0; head < report.kvHeads; ++head) {
        CHECK(at(head, 0, 0) == 1);
        CHECK(at(head, 1, 1) == 1);
        CHECK(at(head, 0, 1) == at(head, 1, 0));
        CHECK(at(head, 0, 1) < 1);
        const bool shares = static_cast<double>(at(head, 1, 0)) >= report.threshold;
        CHECK(report.owners[report.kvHeads + head] == (shares ? 0U : 1U));
        blocks += shares ? 1 : 2;
    }
    CHECK(report.blocks == blocks);
    CHECK(report.largestSaving == doctest::Approx(0.5 * (1 - blocks / (2.0 * report.kvHeads))));
    // The same as a preparation measures.
    PrepareOptions options = optionsOf("pod");
    options.settings = {{"similarity", 30}, {"calibration", 256}, {"sinks", 8}, {"recent", 64}};
    const auto context = tests::prepare(model, text, options);
    std::size_t without = 0;
    for (std::uint32_t head = 0; head < report.kvHeads; ++head)
        without += context->store().list(1, head).pages()[2]->keys.empty() ? 1 : 0;
    CHECK(without == 2 * report.kvHeads - blocks);
    CHECK_THROWS_AS(measureLayerSimilarity(model, "Too short."), Error);
    CHECK_THROWS_AS(measureLayerSimilarity(model, text, {{"depth", 3}}), Error);
}
