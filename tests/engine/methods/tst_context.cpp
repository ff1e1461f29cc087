// Checkpoints, the artefact, conversations: what must survive a kill, a file system and a second
// question.

#include "engine/dialog/context.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <doctest/doctest.h>

namespace {

using namespace engine;

std::vector<std::vector<std::byte>> segmentsOf(const Context& context)
{
    std::vector<std::vector<std::byte>> segments;
    for (std::size_t index = 0; index < segmentCount(context); ++index)
        segments.push_back(writeSegment(context, index));
    return segments;
}

std::shared_ptr<const Context> load(const std::shared_ptr<LoadedModel>& model,
                                    const std::vector<std::vector<std::byte>>& segments,
                                    std::string_view textHash = {})
{
    return loadContext(
        model,
        [&](std::size_t index) {
            return index < segments.size() ? segments[index] : std::vector<std::byte>();
        },
        textHash);
}

PrepareOptions optionsOf(const std::string& method)
{
    PrepareOptions options;
    options.method = method;
    options.keep = 0.3;
    options.blockRows = 128;
    if (method.find("+chunkpress") != std::string::npos)
        options.settings["chunk"] = 300;
    if (method.ends_with("minference")) // pieces and patterns smaller than the text
        options.settings = {{"pattern-rows", 128}, {"pattern", 2}, {"vertical", 30}, {"slash", 50}};
    return options;
}

/// The beginning of a sentence in the middle of the text, as a question; its rest is the answer.
struct Quote
{
    std::string question;
    std::string rest;
};

Quote quoteFrom(const std::string& text, std::size_t where)
{
    const std::size_t begin = text.find(". ", where) + 2;
    const std::size_t end = text.find('.', begin) + 1;
    const std::string sentence = text.substr(begin, end - begin);
    std::size_t cut = 0;
    for (int words = 0; words < 5; ++words)
        cut = sentence.find(' ', cut + 1);
    return {sentence.substr(0, cut), sentence.substr(cut + 1)};
}

} // namespace

TEST_CASE("a preparation that is stopped after any block continues to the same bits")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(700);
    std::vector<std::string> ids{"snapkv+chunkpress", "tova+chunkpress+adakv", "kvzip+chunkpress",
                                 "snapkv+minference"};
    for (const MethodInfo& method : methods()) {
        if (!method.needsTraining) // else tst_activation_beacon
            ids.push_back(method.id);
    }
    for (const std::string& id : ids) {
        PrepareOptions options = optionsOf(id);
        if (id == "homer")
            options.settings = {{"chunk", 1500}}; // two chunks and the root
        Preparation whole(model, text, options);
        std::vector<std::vector<std::byte>> pieces;
        bool more = true;
        while (more) {
            more = whole.advance();
            pieces.push_back(whole.takeCheckpoint());
        }
        REQUIRE(pieces.size() >= 3); // else nothing is interrupted
        const auto expected = segmentsOf(*whole.finish());
        for (std::size_t stop = 0; stop <= pieces.size(); stop += pieces.size() / 3) {
            Preparation resumed(model, text, options);
            for (std::size_t i = 0; i < stop; ++i)
                resumed.restore(pieces[i]);
            while (resumed.advance()) {
            }
            const auto segments = segmentsOf(*resumed.finish());
            INFO(id, " stopped after ", stop, " of ", pieces.size(), " blocks");
            REQUIRE(segments.size() == expected.size());
            CHECK(std::equal(segments.begin() + 1, segments.end(), expected.begin() + 1));
        }
    }
}

TEST_CASE("checkpoints of another document are refused")
{
    const auto model = tests::loadReader();
    Preparation first(model, tests::makeText(300, 1), optionsOf("full"));
    first.advance();
    const auto piece = first.takeCheckpoint();
    Preparation second(model, tests::makeText(300, 2), optionsOf("full"));
    CHECK_THROWS_AS(second.restore(piece), Error);
    Preparation third(model, tests::makeText(300, 1), optionsOf("full"));
    CHECK_THROWS_AS(third.restore(std::span(piece).first(piece.size() / 2)), Error);
}

TEST_CASE("a stored context gives the same answers as the one in memory, and nothing is read again")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(900);
    const Quote quote = quoteFrom(text, text.size() / 2);
    for (const KvType store : {KvType::F16, KvType::Int8, KvType::Kivi4, KvType::Kivi2}) {
        PrepareOptions options = optionsOf("kvzip");
        options.store = store;
        const auto fresh = tests::prepare(model, text, options);
        const auto stored = load(model, segmentsOf(*fresh), contextInfo(*fresh).textHash);
        const Answer a = tests::ask(model, fresh, quote.question);
        const Answer b = tests::ask(model, stored, quote.question);
        INFO(kvTypeName(store), ": \"", quote.question, "\" -> \"", a.text, "\"");
        CHECK(a.text == b.text);
        CHECK(a.text.starts_with(quote.rest));
        CHECK(b.tokensReread == 0);
        CHECK(segmentsOf(*stored) == segmentsOf(*fresh));
    }
}

TEST_CASE("an entropy-coded context holds the same pages in fewer bytes")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(900);
    const auto bytesOf = [](const std::vector<std::vector<std::byte>>& segments) {
        std::size_t total = 0;
        for (std::size_t index = 1; index < segments.size(); ++index)
            total += segments[index].size();
        return total;
    };
    for (const KvType store : {KvType::F16, KvType::Int8, KvType::Kivi4, KvType::Kivi2}) {
        PrepareOptions options = optionsOf("kvzip");
        options.store = store;
        const auto plain = tests::prepare(model, text, options);
        options.coded = true;
        const auto coded = load(model, segmentsOf(*tests::prepare(model, text, options)));
        CHECK(contextInfo(*coded).coded);
        const std::size_t plainBytes = bytesOf(segmentsOf(*plain));
        const std::size_t codedBytes = bytesOf(segmentsOf(*coded));
        MESSAGE(storeFormatName({store, true}), ": ", codedBytes, " of ", plainBytes, " bytes");
        CHECK(codedBytes < plainBytes);
        for (std::uint32_t layer = 0; layer < plain->store().shape().layers; ++layer) {
            for (std::uint32_t head = 0; head < plain->store().shape().kvHeads; ++head) {
                const auto& before = plain->store().list(layer, head).pages();
                const auto& after = coded->store().list(layer, head).pages();
                REQUIRE(before.size() == after.size());
                for (std::size_t page = 0; page < before.size(); ++page) {
                    CHECK(before[page]->keys == after[page]->keys);
                    CHECK(before[page]->values == after[page]->values);
                }
            }
        }
    }
}

TEST_CASE("conversations share a context and do not disturb each other")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(900);
    const auto context = tests::prepare(model, text, optionsOf("kvzip"));
    const auto before = segmentsOf(*context);
    const Quote one = quoteFrom(text, text.size() / 4);
    const Quote two = quoteFrom(text, text.size() / 2);
    Conversation first(model, context);
    const std::string answerOne = first.ask(one.question, {.maxTokens = 40}, {}).text;
    const std::string answerTwo = first.ask(two.question, {.maxTokens = 40}, {}).text;
    CHECK(answerOne.starts_with(one.rest));
    CHECK(answerTwo.starts_with(two.rest));
    Conversation second(model, context);
    CHECK(second.ask(one.question, {.maxTokens = 40}, {}).text == answerOne);
    CHECK(segmentsOf(*context) == before);

    SUBCASE("a conversation taken up later goes on where it was")
    {
        Conversation later(model, context, {{one.question, answerOne}});
        CHECK(later.ask(two.question, {.maxTokens = 40}, {}).text.starts_with(two.rest));
    }
}

TEST_CASE("evidence points at the tokens that were copied")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(900);
    const auto context = tests::prepare(model, text, optionsOf("full"));
    const Quote quote = quoteFrom(text, text.size() / 3);
    const Answer answer = tests::ask(model, context, quote.question);
    REQUIRE(!answer.evidence.empty());
    const auto ranges = tokenRanges(*context);
    const std::size_t place = text.find(quote.question + " " + quote.rest);
    REQUIRE(place != std::string::npos);
    double inside = 0;
    for (const auto& each : answer.evidence.front().places) {
        if (ranges[each.token].begin >= place &&
            ranges[each.token].end <= place + quote.question.size() + quote.rest.size() + 1)
            inside += each.mass;
    }
    CHECK(inside > 0.5);
}

TEST_CASE("a stop request ends an answer, a streamed answer arrives in whole pieces")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(600);
    const auto context = tests::prepare(model, text, optionsOf("full"));
    const Quote quote = quoteFrom(text, text.size() / 3);
    Conversation conversation(model, context);
    std::string streamed;
    const Answer whole = conversation.ask(quote.question, {.maxTokens = 40},
                                          [&](std::string_view piece) { streamed += piece; });
    CHECK(streamed == whole.text);
    std::stop_source stop;
    std::size_t pieces = 0;
    const Answer stopped = conversation.ask(
        quote.question, {.maxTokens = 40},
        [&](std::string_view) {
            if (++pieces == 2)
                stop.request_stop();
        },
        stop.get_token());
    CHECK(stopped.stoppedByUser);
    CHECK(pieces == 2);
}

TEST_CASE("contexts of another text or model, and damaged ones, are refused with a sentence")
{
    const auto model = tests::loadReader();
    const auto context = tests::prepare(model, tests::makeText(300), optionsOf("kvzip"));
    auto segments = segmentsOf(*context);
    CHECK_THROWS_WITH_AS(load(model, segments, "0123"),
                         "The document's text has changed since it was prepared. Prepare it again.",
                         Error);
    SUBCASE("a segment is missing")
    {
        segments.pop_back();
        CHECK_THROWS_AS(load(model, segments), Error);
    }
    SUBCASE("the model's identity is another one")
    {
        const std::string identity = modelIdentity(*model);
        auto& header = segments[0];
        const auto* found =
            std::search(reinterpret_cast<const char*>(header.data()),
                        reinterpret_cast<const char*>(header.data()) + header.size(),
                        identity.begin(), identity.end());
        const auto at =
            static_cast<std::size_t>(found - reinterpret_cast<const char*>(header.data()));
        header[at] = header[at] == std::byte{'0'} ? std::byte{'1'} : std::byte{'0'};
        CHECK_THROWS_AS(load(model, segments), Error);
    }
}

TEST_CASE("2,000 mutated context segments, half of them coded: an error or success, never a crash")
{
    const auto model = tests::loadReader();
    PrepareOptions options = optionsOf("kvzip");
    options.store = KvType::Kivi4;
    const auto plain = segmentsOf(*tests::prepare(model, tests::makeText(200), options));
    options.coded = true;
    const auto context = tests::prepare(model, tests::makeText(200), options);
    const auto coded = segmentsOf(*context);
    std::uint32_t state = 7;
    const auto random = [&state] {
        state = state * 1664525U + 1013904223U;
        return state >> 8U;
    };
    std::size_t refused = 0;
    for (int round = 0; round < 2000; ++round) {
        auto mutated = round % 2 == 0 ? plain : coded;
        // The header holds all lengths, so most rounds go there.
        auto& bytes = mutated[round % 5 == 0 ? random() % mutated.size() : 0];
        const std::size_t changes = 1 + random() % 4;
        for (std::size_t i = 0; i < changes && !bytes.empty(); ++i) {
            const std::size_t at = random() % bytes.size();
            switch (random() % 4) {
            case 0:
                bytes[at] ^= static_cast<std::byte>(1U << (random() % 8));
                break;
            case 1:
                bytes[at] = std::byte{0xFF};
                break;
            case 2:
                bytes.resize(at);
                break;
            default:
                bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), std::byte{0x7F});
                break;
            }
        }
        try {
            load(model, mutated);
        } catch (const Error&) {
            ++refused;
        }
    }
    MESSAGE(refused << " of 2000 mutants were refused");
    CHECK(refused > 1000);
}

TEST_CASE("documents that do not fit, and bad options, are refused before any work")
{
    const auto model = tests::loadReader();
    CHECK_THROWS_AS(Preparation(model, "", {}), Error);
    PrepareOptions options;
    options.keep = 0;
    CHECK_THROWS_AS(Preparation(model, "Some text.", options), Error);
    options.keep = 1.5;
    CHECK_THROWS_AS(Preparation(model, "Some text.", options), Error);
    const std::string long_(modelInfo(*model).contextLength * 2, 'x');
    try {
        Preparation preparation(model, long_ + tests::makeText(200'000), {});
        FAIL("a document longer than the window was accepted");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::TooLarge);
        CHECK(std::string(error.what()).find("131072") != std::string::npos);
    }
}
