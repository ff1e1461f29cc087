// --set rope=...: the table belongs to the context, to its conversations and to its identity.

#include "engine/dialog/context.h"
#include "engine/methods/method.h"
#include "engine/methods/rope_settings.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"
#include "tests/engine/methods/reader_variant.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;

constexpr std::uint32_t kWindow = 1024;
constexpr double kFactor = 4;

struct Scaling
{
    const char* word;
    const char* ofFile; // the word of GGUF files; null: they have none
};

std::vector<std::vector<std::byte>> segmentsOf(const Context& context)
{
    std::vector<std::vector<std::byte>> segments;
    for (std::size_t index = 0; index < segmentCount(context); ++index)
        segments.push_back(writeSegment(context, index));
    return segments;
}

std::shared_ptr<const Context> load(const std::shared_ptr<LoadedModel>& model,
                                    const std::vector<std::vector<std::byte>>& segments)
{
    return loadContext(model, [&](std::size_t index) { return segments.at(index); }, {});
}

PrepareOptions optionsOf(const std::string& method, const std::string& rope, double factor = 0)
{
    PrepareOptions options;
    options.method = method;
    options.keep = 1;
    options.store = KvType::F16;
    options.settings = {{"rope", parseSetting(method, "rope", rope)}, {"rope-factor", factor}};
    return options;
}

/// The keys that some tokens get behind a copy of the context. Those of layer 1 depend on what the
/// rows attended to in layer 0, so queries take part as well.
std::vector<float> keysBehind(LoadedModel& model, const Context& context)
{
    KvStore store = context.store();
    Job job;
    job.tokens = {300, 301, 302, 303, 304};
    job.positions.resize(job.tokens.size());
    std::iota(job.positions.begin(), job.positions.end(), store.nextPosition());
    const auto count = static_cast<std::uint32_t>(job.tokens.size());
    model.transformer().run(std::move(job), store);
    const KvShape shape = store.shape();
    std::vector<float> keys(shape.layers * std::size_t{shape.kvHeads} * count * shape.headDim);
    const std::size_t each = std::size_t{count} * shape.headDim;
    for (std::uint32_t list = 0; list < shape.layers * shape.kvHeads; ++list) {
        const KvList& entries = store.list(list / shape.kvHeads, list % shape.kvHeads);
        entries.readKeys(std::span(keys).subspan(list * each, each), entries.length() - count,
                         shape.headDim);
    }
    return keys;
}

std::string refusal(const std::function<void()>& work)
{
    try {
        work();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

} // namespace

TEST_CASE("words are read, and unknown ones are refused with the known ones")
{
    CHECK(parseSetting("kvzip", "rope", "none") == 0);
    CHECK(parseSetting("snapkv+adakv", "rope", "yarn") == 3);
    CHECK(parseSetting("snapkv", "window", "64") == 64);
    CHECK(settingText("kvzip", "rope", 2) == "ntk");
    CHECK(settingText("kvzip", "rope-factor", 2.5) == "2.5");
    CHECK_THROWS_WITH_AS(
        parseSetting("full", "rope", "yarm"),
        "The setting rope cannot be \"yarm\". Write one of: none, linear, ntk, yarn.", Error);
    CHECK_THROWS_WITH_AS(parseSetting("full", "rope", "3"), doctest::Contains("none, linear"),
                         Error);
    CHECK_THROWS_WITH_AS(parseSetting("full", "window", "3"),
                         "The method full has no setting \"window\". Its settings are: rope, "
                         "rope-factor.",
                         Error);
    CHECK_THROWS_WITH_AS(parseSetting("snapkv", "window", "many"),
                         doctest::Contains("\"many\" is not a number"), Error);
    CHECK_THROWS_AS(completeSettings(findMethod("full").info, {{"rope", 1.5}}), Error);
    CHECK_THROWS_AS(completeSettings(findMethod("full").info, {{"rope", 4}}), Error);
}

TEST_CASE("a scaling that is set equals, bit for bit, the same scaling written in the file")
{
    const std::string text = tests::makeText(500);
    const auto plain = tests::loadReaderWithWindow(kWindow);
    std::vector<std::vector<float>> seen;
    for (const Scaling& each : {Scaling{"linear", "linear"}, Scaling{"yarn", "yarn"}}) {
        GgufWriter writer = tests::readerWriter();
        writer.setUint32("llama.context_length", kWindow * 4);
        writer.setString("llama.rope.scaling.type", each.ofFile);
        writer.setFloat32("llama.rope.scaling.factor", static_cast<float>(kFactor));
        writer.setUint32("llama.rope.scaling.original_context_length", kWindow);
        const auto declared = tests::loadWritten(writer);
        const auto expected = tests::prepare(declared, text, optionsOf("full", "none"));
        const auto actual = tests::prepare(plain, text, optionsOf("full", each.word, kFactor));
        INFO(each.word);
        REQUIRE(contextInfo(*actual).tokens > kWindow);
        CHECK(contextInfo(*actual).window == kWindow * 4);
        const auto a = segmentsOf(*actual);
        const auto b = segmentsOf(*expected);
        CHECK(std::equal(a.begin() + 1, a.end(), b.begin() + 1, b.end()));
        const auto keys = keysBehind(*plain, *actual);
        CHECK(keys == keysBehind(*declared, *expected));
        CHECK(keys == keysBehind(*plain, *load(plain, a))); // the stored table is the same
        seen.push_back(keys);
        CHECK_THROWS_AS(tests::prepare(declared, text, optionsOf("full", "ntk")), Error);
    }
    seen.push_back(
        keysBehind(*plain, *tests::prepare(plain, text, optionsOf("full", "ntk", kFactor))));
    const auto unscaled = tests::loadReaderWithWindow(kWindow * 4);
    seen.push_back(
        keysBehind(*unscaled, *tests::prepare(unscaled, text, optionsOf("full", "none"))));
    for (std::size_t i = 0; i < seen.size(); ++i) {
        for (std::size_t j = i + 1; j < seen.size(); ++j)
            CHECK(seen[i] != seen[j]);
    }
}

TEST_CASE("the automatic factor is the smallest power of two that is enough")
{
    const auto model = tests::loadReaderWithWindow(kWindow);
    for (const auto& [words, factor] :
         {std::pair<std::size_t, std::uint32_t>{100, 1}, {500, 2}, {1000, 4}}) {
        const auto context =
            tests::prepare(model, tests::makeText(words), optionsOf("full", "yarn"));
        const ContextInfo& info = contextInfo(*context);
        INFO(info.tokens, " tokens");
        CHECK(info.window == kWindow * factor);
        CHECK(info.tokens + info.prefixTokens <= info.window);
        if (factor > 1)
            CHECK(info.tokens + info.prefixTokens + 64 > info.window / 2);
        CHECK(info.settings.at("rope-factor") == factor);
        CHECK(Conversation(model, context).tokensLeft() ==
              info.window - info.prefixTokens - info.tokens);
    }
}

TEST_CASE("a document longer than the window: refused with the ways out, or carried")
{
    const auto model = tests::loadReaderWithWindow(kWindow);
    const std::string text = tests::makeText(500);
    const std::string sentence =
        refusal([&] { tests::prepare(model, text, optionsOf("kvzip", "none")); });
    CHECK(sentence.find("parallel-windows") != std::string::npos);
    CHECK(sentence.find("rope") != std::string::npos);
    CHECK(sentence.find("1024") != std::string::npos);
    CHECK(!refusal([&] { tests::prepare(model, text, optionsOf("kvzip", "yarn", 1.5)); }).empty());
    CHECK(refusal([&] {
              tests::prepare(model, text, optionsOf("kvzip", "none", 2));
          }).find("linear, ntk or yarn") != std::string::npos);
    CHECK(!refusal([&] { tests::prepare(model, text, optionsOf("full", "ntk", 0.5)); }).empty());

    // StreamingLLM never looks farther than its window.
    PrepareOptions options = optionsOf("streaming-llm", "none");
    options.budget = 600;
    const auto context = tests::prepare(model, text, options);
    CHECK(context->store().nextPosition() < 700);
    CHECK(Conversation(model, context).tokensLeft() > 300);
}

TEST_CASE("a context with other position settings than its own is refused")
{
    const auto model = tests::loadReaderWithWindow(kWindow);
    const auto context =
        tests::prepare(model, tests::makeText(500), optionsOf("full", "yarn", kFactor));
    auto segments = segmentsOf(*context);
    const std::string line = contextInfo(*context).rope;
    REQUIRE(line.find("yarn") != std::string::npos);
    CHECK(load(model, segments)->info().rope == line);
    auto* header = reinterpret_cast<char*>(segments[0].data());
    auto* found = std::search(header, header + segments[0].size(), line.begin(), line.end());
    REQUIRE(found != header + segments[0].size());
    *(found + line.find("factor=4") + 7) = '8';
    CHECK_THROWS_WITH_AS(load(model, segments), doctest::Contains("model's positions"), Error);
}
