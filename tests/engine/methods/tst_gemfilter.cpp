// A document prepared by GemFilter that is asked several questions (selection.md 3.1, checks).

#include "engine/dialog/context.h"
#include "engine/methods/gemfilter_answer.h"
#include "engine/methods/method.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <iterator>

namespace {

using namespace engine;

PrepareOptions optionsOf(const std::string& method, std::map<std::string, double> settings = {})
{
    PrepareOptions options;
    options.method = method;
    options.store = KvType::F16;
    options.settings = std::move(settings);
    return options;
}

/// Six words of the text from a fraction of it on, which the reader goes on from.
std::string wordsAt(const std::string& text, std::size_t eighth)
{
    std::size_t begin = text.find(". ", text.size() * eighth / 8) + 2;
    std::size_t end = begin;
    for (int words = 0; words < 6; ++words)
        end = text.find(' ', end + 1);
    return text.substr(begin, end - begin);
}

std::vector<float> keysOf(const KvStore& store, std::uint32_t layer, std::uint32_t head)
{
    const KvList& list = store.list(layer, head);
    std::vector<float> keys(std::size_t{list.length()} * store.shape().headDim);
    list.readKeys(keys, 0, store.shape().headDim);
    return keys;
}

/// An answering object with its context and the turn of a question.
struct Asked
{
    Asked(const std::shared_ptr<LoadedModel>& loaded, std::shared_ptr<const Context> prepared)
        : model(loaded)
        , context(std::move(prepared))
        , answer(
              model->transformer(),
              std::make_shared<const GemFilterState>(GemFilterState::read(context->methodState())),
              context->store())
        , store(context->store())
    {}

    std::vector<std::int32_t> turn(const std::string& question) const
    {
        return model->tokenizer().encode(question, SpecialTokens::AsText, false).ids;
    }

    /// Reads a question; returns the chosen document tokens.
    std::vector<std::uint32_t> ask(const std::string& question)
    {
        const auto tokens = turn(question);
        answer.beforeQuestion(tokens, store, {});
        Job job;
        job.tokens = tokens;
        job.role = Role::Query;
        answer.afterJob(job, store);
        const auto chosen = *answer.tokenOfRow();
        return {chosen.begin(), chosen.end()};
    }

    std::shared_ptr<LoadedModel> model;
    std::shared_ptr<const Context> context;
    GemFilterAnswer answer;
    KvStore store;
};

} // namespace

TEST_CASE("a choice of everything gives the bits of the full cache")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(150);
    Asked asked(model, tests::prepare(model, text, optionsOf("gemfilter", {{"select", 4096}})));
    const auto full = tests::prepare(model, text, optionsOf("full"));
    const std::string question = wordsAt(text, 3);
    asked.ask(question);
    const KvShape shape = full->store().shape();
    CHECK(asked.store.positions() == full->store().positions());
    CHECK(asked.store.roles() == full->store().roles());
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head)
            CHECK(keysOf(asked.store, layer, head) == keysOf(full->store(), layer, head));
    }
    Conversation dense(model, full);
    Conversation filtered(model, asked.context);
    const AskOptions options{.maxTokens = 20, .raw = true};
    const Answer a = dense.ask(question, options, {});
    const Answer b = filtered.ask(question, options, {});
    CHECK(a.text == b.text);
    CHECK(a.tokensReread == 0);
    CHECK(b.tokensReread == contextInfo(*full).tokens);
    REQUIRE(a.evidence.size() == b.evidence.size());
    for (std::size_t i = 0; i < a.evidence.size(); ++i)
        CHECK(a.evidence[i].places.front().token == b.evidence[i].places.front().token);
}

TEST_CASE("three questions on one prepared document choose different tokens")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(800);
    const auto context = tests::prepare(model, text, optionsOf("gemfilter", {{"select", 160}}));
    const std::vector<ByteRange> ranges = tokenRanges(*context);
    Asked asked(model, context);
    std::vector<std::vector<std::uint32_t>> choices;
    for (const std::size_t eighth : {1U, 6U, 3U}) {
        const std::string question = wordsAt(text, eighth);
        const std::uint64_t before = model->transformer().documentRowsRun();
        choices.push_back(asked.ask(question));
        const std::size_t length = asked.turn(question).size();
        CHECK(asked.answer.chosenRows().size() == 160 - length);
        CHECK(std::ranges::is_sorted(asked.answer.chosenRows()));
        CHECK(model->transformer().documentRowsRun() - before == choices.back().size());
        CHECK(asked.store.rowCount() == 160 - length);
        CHECK(asked.store.nextPosition() == static_cast<std::int32_t>(160 - length));
        // What follows on the words that the question repeats is among the chosen.
        const std::size_t place = text.find(question) + question.size() - 1;
        const auto token = static_cast<std::uint32_t>(
            std::ranges::find_if(ranges, [&](const ByteRange& r) { return place < r.end; }) -
            ranges.begin());
        CHECK(std::ranges::binary_search(choices.back(), token + 1));
    }
    for (std::size_t i = 0; i < 3; ++i) {
        std::vector<std::uint32_t> both;
        std::ranges::set_intersection(choices[i], choices[(i + 1) % 3], std::back_inserter(both));
        CHECK(both.size() < choices[i].size() / 2);
    }
    // An earlier question asked again finds its place again: nothing was lost. What was said since
    // repeats the same words and takes places of its own.
    const auto again = asked.ask(wordsAt(text, 1));
    std::vector<std::uint32_t> both;
    std::ranges::set_intersection(choices[0], again, std::back_inserter(both));
    CHECK(both.size() > choices[0].size() / 2);
}

TEST_CASE("the past grown question by question is that of one reading")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = tests::prepare(model, text, optionsOf("gemfilter", {{"select", 128}}));
    Conversation conversation(model, context); // answers through all of it
    const AskOptions options{.maxTokens = 5, .raw = true};
    const Answer first = conversation.ask(wordsAt(text, 2), options, {});
    CHECK(first.tokensReread > 0);
    CHECK(first.tokensReread < 128);
    CHECK(first.tokensInContext <= 128 + 5);

    Asked pieces(model, context);
    pieces.ask(wordsAt(text, 2));
    Job said;
    said.tokens = pieces.turn(first.text);
    pieces.answer.afterJob(said, pieces.store);
    const auto chosen = pieces.ask(wordsAt(text, 5));

    Asked whole(model, context);
    auto exchange = whole.turn(wordsAt(text, 2));
    exchange.insert(exchange.end(), said.tokens.begin(), said.tokens.end());
    CHECK(whole.answer.takeExchange(exchange, whole.store, {}));
    CHECK(whole.answer.nextPosition(whole.store) ==
          context->store().nextPosition() + static_cast<std::int32_t>(exchange.size()));
    CHECK(whole.ask(wordsAt(text, 5)) == chosen);
    for (std::uint32_t head = 0; head < context->store().shape().kvHeads; ++head)
        CHECK(keysOf(whole.answer.past(), 1, head) == keysOf(pieces.answer.past(), 1, head));

    // A conversation that was stored goes on as the one that was not.
    const Answer second = conversation.ask(wordsAt(text, 5), options, {});
    Conversation later(model, context, {{wordsAt(text, 2), first.text}});
    const Answer same = later.ask(wordsAt(text, 5), options, {});
    CHECK(second.text == same.text);
    CHECK(second.tokensReread == same.tokensReread);
    CHECK(conversation.tokensLeft() == later.tokensLeft());
}

TEST_CASE("a stop while the chosen tokens are read leaves the conversation as it was")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = tests::prepare(model, text, optionsOf("gemfilter", {{"select", 128}}));
    const AskOptions options{.maxTokens = 8, .raw = true};
    Conversation undisturbed(model, context);
    Conversation disturbed(model, context);
    std::stop_source stop;
    stop.request_stop();
    const std::uint64_t left = disturbed.tokensLeft();
    CHECK(disturbed.ask(wordsAt(text, 4), options, {}, stop.get_token()).stoppedByUser);
    CHECK(disturbed.tokensLeft() == left);
    const Answer a = undisturbed.ask(wordsAt(text, 2), options, {});
    const Answer b = disturbed.ask(wordsAt(text, 2), options, {});
    CHECK(a.text == b.text);
    CHECK(undisturbed.tokensLeft() == disturbed.tokensLeft());
}

TEST_CASE("a question longer than the choice is refused, and so is a layer that is not there")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const auto context = tests::prepare(model, text, optionsOf("gemfilter", {{"select", 16}}));
    Conversation conversation(model, context);
    const std::uint64_t left = conversation.tokensLeft();
    CHECK_THROWS_AS(conversation.ask(text.substr(0, 200), {.raw = true}, {}), Error);
    CHECK(conversation.tokensLeft() == left);
    CHECK_THROWS_WITH_AS(Preparation(model, text, optionsOf("gemfilter", {{"layer", 2}})),
                         "The model has 2 layers, so GemFilter's setting layer must be between 1 "
                         "and 1, 0 to choose one by trial, or -1 for one near the middle.",
                         Error);
    CHECK_THROWS_AS(Preparation(model, text, optionsOf("gemfilter", {{"kernel", 4}})), Error);
}

TEST_CASE("a stored state that does not fit its document is refused")
{
    const auto model = tests::loadReader();
    const auto context =
        tests::prepare(model, tests::makeText(100), optionsOf("gemfilter", {{"select", 64}}));
    const GemFilterState good = GemFilterState::read(context->methodState());
    const auto refused = [&](const GemFilterState& state) {
        const auto changed =
            std::make_shared<const Context>(context->info(), context->store(), context->ranges(),
                                            context->systemText(), state.write());
        CHECK_THROWS_AS(Conversation(model, changed), Error);
    };
    GemFilterState state = good;
    state.layer = 7;
    refused(state);
    state = good;
    state.document.pop_back();
    refused(state);
    state = good;
    state.document[5] = 1 << 20;
    refused(state);
    state = good;
    state.kernel = 4;
    refused(state);
    auto bytes = good.write();
    bytes.pop_back();
    CHECK_THROWS_AS(GemFilterState::read(bytes), Error);
}

TEST_CASE("a model of two layers has one layer to choose")
{
    const auto model = tests::loadReader();
    for (const double layer : {-1.0, 0.0, 1.0}) {
        const auto context =
            tests::prepare(model, tests::makeText(50), optionsOf("gemfilter", {{"layer", layer}}));
        CHECK(GemFilterState::read(context->methodState()).layer == 1);
    }
}
