// Activation Beacon from a text to an answer: preparing, storing, interrupting, asking.

#include "engine/dialog/context.h"
#include "engine/dialog/tail.h"
#include "engine/methods/answering.h"
#include "tests/engine/methods/beacon_reference.h"
#include "tests/engine/methods/beacon_runs.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;
using namespace tests;

constexpr const char* kText = "The miller sold a grey mule. The clerk painted the northern gate "
                              "twice, and the surveyor measured the field behind it.";

PrepareOptions options(double ratio)
{
    PrepareOptions made;
    made.method = "activation-beacon";
    made.settings = {{"ratio", ratio}};
    made.store = KvType::F16;
    made.blockRows = 16;
    return made;
}

std::shared_ptr<const Context> prepared(const BeaconModel& model, const PrepareOptions& made)
{
    Preparation preparation(model.model(), kText, made);
    while (preparation.advance()) {
    }
    return preparation.finish();
}

std::vector<std::vector<std::byte>> segmentsOf(const Context& context)
{
    std::vector<std::vector<std::byte>> segments;
    for (std::size_t index = 0; index < segmentCount(context); ++index)
        segments.push_back(writeSegment(context, index));
    return segments;
}

std::shared_ptr<const Context> loaded(const BeaconModel& model,
                                      const std::vector<std::vector<std::byte>>& segments)
{
    return loadContext(model.model(), [&](std::size_t index) { return segments.at(index); }, {});
}

} // namespace

TEST_CASE("a prepared document has its beacons, its last words and every count of them")
{
    const BeaconModel model({.window = 16});
    const auto context = prepared(model, options(4));
    const ContextInfo& info = contextInfo(*context);
    const std::uint64_t rest = info.tokens % 16;
    const std::uint64_t expected = (info.tokens - rest) / 4 + rest + rest / 4;
    for (const std::uint32_t count : keptCounts(*context))
        CHECK(count == expected);
    CHECK(info.keptFraction ==
          doctest::Approx(static_cast<double>(expected) / static_cast<double>(info.tokens)));
    // A beacon counts for the token in front of it, so the last words count once or twice.
    const auto map = retentionMap(*context);
    REQUIRE(map.size() == info.tokens);
    const std::uint64_t cells = std::uint64_t{info.layers} * info.kvHeads;
    for (std::size_t token = 0; token < map.size(); ++token) {
        const std::uint64_t times =
            (token % 4 == 3 ? 1U : 0U) + (token >= info.tokens - rest ? 1U : 0U);
        CHECK(map[token] == times * cells);
    }
    CHECK(context->store().nextPosition() ==
          static_cast<std::int32_t>(info.prefixTokens + expected));
}

TEST_CASE("a stored document is read again as it was")
{
    const BeaconModel model({.window = 16});
    const auto context = prepared(model, options(4));
    const auto segments = segmentsOf(*context);
    const auto again = loaded(model, segments);
    CHECK(segmentsOf(*again) == segments);
    CHECK(retentionMap(*again) == retentionMap(*context));
    CHECK(readKeptCounts(segments[0]) == keptCounts(*context));
    Conversation first(model.model(), context);
    Conversation second(model.model(), again);
    const AskOptions ask{.maxTokens = 20, .raw = true};
    const Answer a = first.ask("Who sold the mule?", ask, {});
    const Answer b = second.ask("Who sold the mule?", ask, {});
    CHECK(a.text == b.text);
    CHECK(a.tokensReread == 0);
}

TEST_CASE("a conversation whose turns are compressed answers, cites and can be told again")
{
    const BeaconModel model({.window = 16});
    PrepareOptions made = options(4);
    made.settings["turns"] = 1;
    const auto context = prepared(model, made);
    const AskOptions ask{.maxTokens = 40, .raw = true};
    Conversation first(model.model(), context);
    const std::uint64_t before = first.tokensLeft();
    const std::string longQuestion = std::string(kText) + " Who sold the mule, and what then?";
    const Answer one = first.ask(longQuestion, ask, {});
    const Answer two = first.ask("And the surveyor?", ask, {});
    CHECK(one.tokensReread == 0);
    CHECK_FALSE(one.evidence.empty());
    // One token a byte: many more were read than positions used.
    const std::uint64_t read = longQuestion.size() + 17 + one.tokens + two.tokens;
    CHECK(2 * (before - first.tokensLeft()) < read);
    Conversation second(model.model(), context);
    CHECK(second.ask(longQuestion, ask, {}).text == one.text);
    CHECK(second.ask("And the surveyor?", ask, {}).text == two.text);
}

TEST_CASE("an interrupted preparation gives the same bytes")
{
    const BeaconModel model({.window = 16, .sinks = 2});
    const auto whole = segmentsOf(*prepared(model, options(2)));
    Preparation first(model.model(), kText, options(2));
    std::vector<std::vector<std::byte>> pieces;
    while (first.advance())
        pieces.push_back(first.takeCheckpoint());
    REQUIRE(pieces.size() > 4);
    for (std::size_t stop = 1; stop <= pieces.size(); ++stop) {
        Preparation resumed(model.model(), kText, options(2));
        for (std::size_t i = 0; i < stop; ++i)
            resumed.restore(pieces[i]);
        while (resumed.advance()) {
        }
        const auto segments = segmentsOf(*resumed.finish());
        REQUIRE(segments.size() == whole.size());
        CHECK(std::equal(segments.begin() + 1, segments.end(), whole.begin() + 1));
    }
}

TEST_CASE("progress made with other beacon parameters is not continued")
{
    const BeaconModel model({.window = 16});
    const BeaconModel other({.window = 16, .type = "F16"});
    Preparation first(model.model(), kText, options(2));
    first.advance();
    const auto piece = first.takeCheckpoint();
    Preparation second(other.model(), kText, options(2));
    CHECK_THROWS_WITH_AS(second.restore(piece), doctest::Contains("other beacon parameters"),
                         Error);
}

TEST_CASE("a question behind the document stays raw and sees the beacons as in the reference")
{
    const BeaconModel model({.biases = true, .window = 16});
    const auto context = prepared(model, options(4));
    const auto tokens = model.model()->tokenizer().encode(kText, SpecialTokens::AsText, false).ids;
    BeaconReference reference(model.checkpoint(), 4);
    const std::vector<std::int32_t> prefix{1}; // <s>
    REQUIRE(contextInfo(*context).prefixTokens == 1);
    reference.readPrefix(prefix);
    reference.read(tokens);
    const auto question = someTokens(21, 99); // more than a window
    const auto expected = reference.readRaw(question);

    KvStore store = context->store();
    Job job;
    job.tokens = question;
    job.positions.resize(question.size());
    std::iota(job.positions.begin(), job.positions.end(), store.nextPosition());
    job.logits = LogitRows::All;
    const auto all = model.model()->transformer().run(job, store).logits;
    std::vector<float> joined;
    for (const auto& each : expected)
        joined.insert(joined.end(), each.begin(), each.end());
    CHECK(worstDifference({all}, {joined}) < 5e-3); // keys and values are float16
}

TEST_CASE("a document longer than the window fits with a ratio that keeps its positions inside")
{
    const BeaconModel model({.window = 16, .contextLength = 128});
    const auto context = prepared(model, options(4));
    CHECK(contextInfo(*context).tokens > 128);
    CHECK(context->store().nextPosition() < 64);
    CHECK_THROWS_WITH_AS(prepared(model, options(2)), doctest::Contains("window of 128"), Error);
    CHECK_THROWS_AS(prepared(model, options(0)), Error);
    PrepareOptions adapts = options(1);
    adapts.settings["adapt"] = 100; // with 2 the reach would be (128 - 16) * 2 + 16 tokens
    CHECK(prepared(model, adapts)->store().nextPosition() == context->store().nextPosition());
}

TEST_CASE("stretched positions hold for the document and for turns that are compressed")
{
    const BeaconModel model({.window = 16});
    PrepareOptions made = options(4);
    made.settings["turns"] = 1;
    made.settings["rope"] = 1; // linear
    made.settings["rope-factor"] = 2;
    const auto context = prepared(model, made);
    BeaconReference reference(model.checkpoint(), 4, 0.5);
    reference.readPrefix(std::vector<std::int32_t>{1});
    reference.read(model.model()->tokenizer().encode(kText, SpecialTokens::AsText, false).ids);
    Tail tail(*model.model(), context->store(), contextInfo(*context).window,
              findMethod("activation-beacon").answer(*context, *model.model()));
    const auto question = someTokens(40, 99);
    const auto expected = reference.read(question).back();
    const auto last = tail.read(question, Role::Query, LogitRows::Last, {});
    CHECK(worstDifference({last}, {expected}) < 5e-3); // keys and values are float16
}

TEST_CASE("T1: a document that keeps everything has the bits of the full cache")
{
    const BeaconModel model({.window = 16});
    PrepareOptions everything = options(1);
    everything.keep = 1.0;
    PrepareOptions full = everything;
    full.method = "full";
    full.settings = {};
    const auto a = segmentsOf(*prepared(model, everything));
    const auto b = segmentsOf(*prepared(model, full));
    REQUIRE(a.size() == b.size());
    CHECK(std::equal(a.begin() + 1, a.end(), b.begin() + 1));
    // The shares choose among the trained ratios.
    for (const auto& [keep, ratio] :
         {std::pair(0.5, 2U), std::pair(0.3, 4U), std::pair(0.01, 8U)}) {
        everything.keep = keep;
        const auto context = prepared(model, everything);
        const std::uint64_t tokens = contextInfo(*context).tokens;
        const std::uint64_t rest = tokens % 16;
        CHECK(keptCounts(*context).front() == (tokens - rest) / ratio + rest + rest / ratio);
    }
}

TEST_CASE("roles that a beacon document cannot have are refused")
{
    const BeaconModel model({.window = 16});
    const auto context = prepared(model, options(4));
    auto segments = segmentsOf(*context);
    const std::vector<Role>& roles = context->store().roles();
    std::vector<std::byte> bytes;
    for (const Role role : roles)
        bytes.push_back(static_cast<std::byte>(role));
    const auto at = std::search(segments[0].begin(), segments[0].end(), bytes.begin(), bytes.end());
    REQUIRE(at != segments[0].end());
    const auto refused = [&](std::size_t row, Role role) {
        const auto place = at + static_cast<std::ptrdiff_t>(row);
        const std::byte before = std::exchange(*place, static_cast<std::byte>(role));
        CHECK_THROWS_AS(loaded(model, segments), Error);
        *place = before;
    };
    CHECK_NOTHROW(loaded(model, segments));
    refused(0, Role::Beacon);
    refused(0, Role::Document);
    refused(1, Role::Beacon); // nothing stands in front of it
    refused(2, Role::Query);
    refused(2, Role::System);
    refused(2, Role::Beacon);   // a token too few
    refused(5, Role::Document); // a token too many
}
