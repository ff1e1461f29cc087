// What a question may and may not leave behind, and what the facts of a resumed preparation count.

#include "engine/dialog/context.h"
#include "engine/dialog/context_format.h"
#include "engine/dialog/evidence.h"
#include "tests/engine/methods/reader_fixture.h"

#include <cstring>
#include <doctest/doctest.h>
#include <limits>

namespace {

using namespace engine;

std::shared_ptr<const Context> fullContext(const std::shared_ptr<LoadedModel>& model,
                                           const std::string& text)
{
    PrepareOptions options;
    options.method = "full";
    options.store = KvType::F16;
    return tests::prepare(model, text, options);
}

/// The first words of a text, which the reader goes on from.
std::string beginningOf(const std::string& text)
{
    std::size_t end = 0;
    for (int words = 0; words < 6; ++words)
        end = text.find(' ', end + 1);
    return text.substr(0, end);
}

} // namespace

TEST_CASE("a stop before the first word ends the answer and leaves the conversation as it was")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    Conversation conversation(model, fullContext(model, text));
    const std::uint64_t before = conversation.tokensLeft();
    std::stop_source stop;
    stop.request_stop();
    const Answer answer = conversation.ask(beginningOf(text), {}, {}, stop.get_token());
    CHECK(answer.stoppedByUser);
    CHECK(answer.text.empty());
    CHECK(conversation.tokensLeft() == before);
    CHECK(!conversation.ask(beginningOf(text), {.maxTokens = 8}, {}).text.empty());
}

TEST_CASE("an empty question and impossible options are refused and change nothing")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    Conversation conversation(model, fullContext(model, text));
    const std::uint64_t before = conversation.tokensLeft();
    CHECK_THROWS_WITH_AS(conversation.ask(" \n", {}, {}),
                         "The question is empty. Type a question first.", Error);
    CHECK_THROWS_AS(conversation.ask("Who?", {.temperature = -1}, {}), Error);
    CHECK(conversation.tokensLeft() == before);
}

TEST_CASE("an answer that reaches its limit is in the tail with its last token")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = fullContext(model, text);
    Conversation conversation(model, context);
    const std::uint64_t before = conversation.tokensLeft();
    const Answer one = conversation.ask(beginningOf(text), {.maxTokens = 1}, {});
    const std::uint64_t used = before - conversation.tokensLeft();
    CHECK(one.reachedLimit);
    CHECK(one.tokens == 1);

    Conversation other(model, context);
    const Answer five = other.ask(beginningOf(text), {.maxTokens = 5}, {});
    CHECK(five.reachedLimit);
    CHECK(five.tokens == 5);
    CHECK(before - other.tokensLeft() == used + 4);
    CHECK(five.tokensInContext ==
          contextInfo(*context).prefixTokens + contextInfo(*context).tokens + used + 4);
}

TEST_CASE("without evidence an answer and what follows it are the same")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = fullContext(model, text);
    // One that ends at once, at its limit, at a stop string and by itself.
    const std::vector<AskOptions> ends{{.maxTokens = 1},
                                       {.maxTokens = 5},
                                       {.stopStrings = {text.substr(text.size() / 2, 4)}},
                                       {.maxTokens = 400}};
    for (AskOptions options : ends) {
        CAPTURE(options.maxTokens);
        Conversation with(model, context);
        Conversation without(model, context);
        const Answer looked = with.ask(beginningOf(text), options, {});
        options.evidence = false;
        const Answer plain = without.ask(beginningOf(text), options, {});
        CHECK(looked.evidence.empty() == looked.text.empty());
        CHECK(plain.evidence.empty());
        CHECK(plain.text == looked.text);
        CHECK(plain.tokensInContext == looked.tokensInContext);
        CHECK(without.tokensLeft() == with.tokensLeft());
        const std::string next = text.substr(text.size() / 3, 30);
        CHECK(without.ask(next, options, {}).text == with.ask(next, options, {}).text);
    }
}

TEST_CASE("seconds and peak of a resumed preparation count the runs before it")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    PrepareOptions options;
    options.method = "full";
    options.blockRows = 128;
    Preparation first(model, text, options);
    first.advance();
    auto piece = first.takeCheckpoint();
    // The last two fields of a piece: seconds of work, and the peak.
    const double seconds = 5000;
    const std::uint64_t peak = 1ULL << 50U;
    REQUIRE(piece.size() > 16);
    std::memcpy(&piece[piece.size() - 16], &seconds, sizeof(seconds));
    std::memcpy(&piece[piece.size() - 8], &peak, sizeof(peak));

    Preparation second(model, text, options);
    second.restore(piece);
    CHECK(second.ledger().back().seconds > seconds);
    while (second.advance()) {
    }
    const auto context = second.finish();
    CHECK(contextInfo(*context).seconds > seconds);
    CHECK(contextInfo(*context).peakBytes == peak);

    const double never = std::numeric_limits<double>::quiet_NaN();
    std::memcpy(&piece[piece.size() - 16], &never, sizeof(never));
    Preparation third(model, text, options);
    CHECK_THROWS_AS(third.restore(piece), Error);
}

TEST_CASE("a header whose facts name another shape than its lists is refused")
{
    const auto model = tests::loadReader();
    const auto context = fullContext(model, tests::makeText(100));
    std::vector<std::byte> header = writeSegment(*context, 0);
    CHECK(!readKeptCounts(header).empty());
    ContextInfo info = contextInfo(*context);
    info.kvHeads *= 2;
    ByteWriter writer;
    writeContextInfo(writer, info);
    const std::vector<std::byte> facts = writer.take();
    std::memcpy(header.data(), facts.data(), facts.size());
    CHECK_THROWS_AS(readKeptCounts(header), Error);
}

TEST_CASE("shares that are no numbers do not enter the evidence")
{
    class BrokenScorer final : public Scorer
    {
    public:
        BrokenScorer() { m_segments.front().visible = {{0, 4}}; }

        std::vector<float> run(const kernels::ScoreSpec& spec,
                               std::span<const kernels::EntryRange>) override
        {
            CHECK(spec.scored.begin == 1); // behind the prefix, and where the row looks
            CHECK(spec.scored.end == 4);
            return {0.25F, std::numeric_limits<float>::quiet_NaN(), 0.75F};
        }
        std::span<const Segment> segments() const override { return m_segments; }

    private:
        std::vector<Segment> m_segments{1};
    };
    const auto backend = makeCpuBackend(1, kernels::cpu::Activations::F32);
    KvStore store({1, 1, 32}, KvType::F16);
    const std::vector<std::int32_t> positions{0, 1, 2, 3};
    const std::vector<std::uint32_t> rows{0, 1, 2, 3};
    store.appendRows(positions, Role::Document);
    const std::vector<float> values(4 * 32, 0.5F);
    store.appendKv(0, values, values, rows, *backend);
    Hooks none;
    const std::vector<std::uint32_t> tokens{0, 1, 2};
    EvidenceHooks hooks(none, 1, 3, tokens);
    BrokenScorer scorer;
    LayerStep step;
    step.store = &store;
    hooks.onAttention(step, scorer);
    const auto places = hooks.places(8);
    REQUIRE(places.size() == 2);
    CHECK(places[0].token == 2);
    CHECK(places[0].mass == doctest::Approx(0.75));
    CHECK(places[1].token == 0);
}
