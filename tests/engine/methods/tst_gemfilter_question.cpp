// GemFilter for a question that is known while the document is read: single-turn and One-Run
// (selection.md 3.1, checks; structural.md 7.7 T1).

#include "engine/dialog/context.h"
#include "engine/dialog/prompt_tokens.h"
#include "engine/methods/gemfilter_answer.h"
#include "engine/methods/method.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"
#include "tests/engine/reader/needle_text.h"

#include <algorithm>
#include <doctest/doctest.h>

namespace {

using namespace engine;

constexpr double kMultiTurn = 0;
constexpr double kSingleTurn = 1;
constexpr double kOneRun = 2;

PrepareOptions optionsOf(double mode, std::uint32_t select, const std::string& question)
{
    PrepareOptions options;
    options.method = "gemfilter";
    options.store = KvType::F16;
    options.settings = {{"mode", mode}, {"select", select}};
    options.question = question;
    return options;
}

/// The first words of a sentence of the text.
std::string wordsAt(const std::string& text, std::size_t eighth)
{
    const std::size_t begin = text.find(". ", text.size() * eighth / 8) + 2;
    std::size_t end = begin;
    for (int words = 0; words < 5; ++words)
        end = text.find(' ', end + 1);
    return text.substr(begin, end - begin);
}

std::vector<std::int32_t> turnOf(const LoadedModel& model, const std::string& question)
{
    return PromptTokens(model, "", false).turn({}, question);
}

/// Keys and values of a list.
std::vector<float> entriesOf(const KvStore& store, std::uint32_t layer, std::uint32_t head)
{
    const KvList& list = store.list(layer, head);
    std::vector<float> entries(2 * std::size_t{list.length()} * store.shape().headDim);
    const std::size_t half = entries.size() / 2;
    list.readKeys(std::span(entries).first(half), 0, store.shape().headDim);
    list.readValues(std::span(entries).subspan(half), 0, store.shape().headDim);
    return entries;
}

std::vector<std::uint32_t> rowsOf(const KvStore& store, std::uint32_t layer, std::uint32_t head)
{
    std::vector<std::uint32_t> rows;
    for (std::uint32_t entry = 0; entry < store.list(layer, head).length(); ++entry)
        rows.push_back(store.list(layer, head).row(entry));
    return rows;
}

template <typename Check>
void forEachList(const KvShape& shape, const Check& check)
{
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head)
            check(layer, head);
    }
}

/// What several turns read for their first question.
struct FirstQuestion
{
    FirstQuestion(LoadedModel& model, const Context& context, const std::string& question)
        : store(context.store())
    {
        GemFilterAnswer answer(
            model.transformer(),
            std::make_shared<const GemFilterState>(GemFilterState::read(context.methodState())),
            context.store());
        answer.beforeQuestion(turnOf(model, question), store, {});
        rows = answer.chosenRows();
    }

    KvStore store;
    std::vector<std::uint32_t> rows;
};

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

TEST_CASE("a choice of everything is the full cache, bit for bit")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(150);
    PrepareOptions plain;
    plain.method = "full";
    plain.store = KvType::F16;
    const auto full = tests::prepare(model, text, plain);
    for (const double mode : {kSingleTurn, kOneRun}) {
        const auto context =
            tests::prepare(model, text, optionsOf(mode, 1 << 20, wordsAt(text, 3)));
        CHECK(context->store().positions() == full->store().positions());
        CHECK(context->store().roles() == full->store().roles());
        forEachList(full->store().shape(), [&](std::uint32_t layer, std::uint32_t head) {
            CHECK(entriesOf(context->store(), layer, head) ==
                  entriesOf(full->store(), layer, head));
        });
    }
}

TEST_CASE("single-turn holds what several turns would read for the question, and nothing else")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(800);
    constexpr std::uint32_t kSelect = 192;
    const auto several = tests::prepare(model, text, optionsOf(kMultiTurn, kSelect, ""));
    for (const std::size_t eighth : {1U, 4U, 6U}) {
        const std::string question = wordsAt(text, eighth);
        INFO(question);
        const auto context = tests::prepare(model, text, optionsOf(kSingleTurn, kSelect, question));
        const FirstQuestion first(*model, *several, question);
        const KvStore& store = context->store();
        const auto kept = static_cast<std::uint32_t>(first.rows.size());
        CHECK(kept == kSelect - turnOf(*model, question).size());
        CHECK(store.nextPosition() == static_cast<std::int32_t>(kept));
        std::uint64_t pages = 0;
        forEachList(store.shape(), [&](std::uint32_t layer, std::uint32_t head) {
            CHECK(rowsOf(store, layer, head) == first.rows);
            CHECK(entriesOf(store, layer, head) == entriesOf(first.store, layer, head));
            for (const auto& page : store.list(layer, head).pages())
                pages += page->keys.size() + page->values.size();
        });
        for (std::uint32_t entry = 0; entry < kept; ++entry)
            CHECK(store.position(first.rows[entry]) == static_cast<std::int32_t>(entry));
        // The state: pages of the chosen tokens in every list, and no others.
        const KvShape shape = store.shape();
        const std::uint64_t pageCount = (kept + kernels::kPageRows - 1) / kernels::kPageRows;
        CHECK(pages == std::uint64_t{shape.layers} * shape.kvHeads * pageCount *
                           kernels::kPageRows * shape.headDim * 2 * 2);
        // Keys and values, the lists with their rows and what manages their pages, and the table
        // of all rows.
        const std::uint64_t ofList =
            sizeof(KvList) + kept * 4 + pageCount * (sizeof(KvPage) + 4 * sizeof(void*));
        CHECK(contextInfo(*context).bytesStored ==
              pages + std::uint64_t{shape.layers} * shape.kvHeads * ofList +
                  std::uint64_t{store.rowCount()} * 5);

        const Answer answer = tests::ask(model, context, question);
        CHECK(answer.text == tests::ask(model, several, question).text);
        CHECK(answer.tokensReread == 0);
    }
}

TEST_CASE("one run keeps the same tokens as they were read, at their positions")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(800);
    const std::string question = wordsAt(text, 5);
    const auto several = tests::prepare(model, text, optionsOf(kMultiTurn, 192, ""));
    const auto context = tests::prepare(model, text, optionsOf(kOneRun, 192, question));
    const auto full = tests::prepare(model, text, optionsOf(kOneRun, 1 << 20, question))->store();
    const FirstQuestion first(*model, *several, question);
    const KvStore& store = context->store();
    CHECK(store.positions() == full.positions());
    CHECK(store.nextPosition() == full.nextPosition());
    forEachList(store.shape(), [&](std::uint32_t layer, std::uint32_t head) {
        CHECK(rowsOf(store, layer, head) == first.rows);
        KvList kept = full.list(layer, head);
        kept.keep(first.rows, store.shape().headDim);
        std::vector<float> keys(std::size_t{kept.length()} * store.shape().headDim);
        kept.readKeys(keys, 0, store.shape().headDim);
        auto own = entriesOf(store, layer, head);
        own.resize(keys.size());
        CHECK(own == keys);
    });
}

TEST_CASE("the quoted words are continued from a quarter of the text")
{
    const auto model = tests::loadReader();
    const tests::NeedleText hidden = tests::makeNeedleText(6, 8);
    for (const std::size_t index : {1U, 3U, 5U}) {
        const tests::Needle& needle = hidden.needles[index];
        for (const double mode : {kSingleTurn, kOneRun}) {
            // The reader knows a place by the tokens before it, which the pooling has to bring.
            PrepareOptions options = optionsOf(mode, 512, needle.question);
            options.settings["kernel"] = 9;
            const auto context = tests::prepare(model, hidden.text, options);
            CHECK(contextInfo(*context).keptFraction < 0.25);
            const Answer answer = tests::ask(model, context, needle.question);
            INFO(needle.question, " -> ", answer.text);
            // Without the full stop, which stands too far from the votes.
            CHECK(answer.text.starts_with(needle.answer.substr(0, needle.answer.size() - 1)));
            REQUIRE_FALSE(answer.evidence.empty());
            CHECK(std::ranges::any_of(
                answer.evidence.front().places, [&](const Evidence::Place& each) {
                    const ByteRange bytes = tokenRanges(*context)[each.token];
                    return bytes.begin >= needle.place.begin && bytes.end <= needle.place.end;
                }));
        }
    }
}

TEST_CASE("a reading that is stopped after any block goes on to the same bits")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(400);
    for (const double mode : {kSingleTurn, kOneRun}) {
        PrepareOptions options = optionsOf(mode, 160, wordsAt(text, 2));
        options.blockRows = 64;
        Preparation whole(model, text, options);
        std::vector<std::vector<std::byte>> pieces;
        double fraction = 0;
        for (bool more = true; more;) {
            more = whole.advance();
            pieces.push_back(whole.takeCheckpoint());
            CHECK(whole.progress().fraction >= fraction);
            fraction = whole.progress().fraction;
        }
        CHECK(fraction == 1);
        const auto expected = whole.finish();
        for (std::size_t stop = 0; stop <= pieces.size(); ++stop) {
            Preparation resumed(model, text, options);
            for (std::size_t i = 0; i < stop; ++i)
                resumed.restore(pieces[i]);
            while (resumed.advance()) {
            }
            const auto context = resumed.finish();
            INFO("mode ", mode, ", stopped after ", stop, " of ", pieces.size());
            REQUIRE(segmentCount(*context) == segmentCount(*expected));
            for (std::size_t index = 1; index < segmentCount(*context); ++index)
                CHECK(writeSegment(*context, index) == writeSegment(*expected, index));
        }
    }
}

TEST_CASE("a question that is not there, or too long, is refused before anything is read")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    for (const double mode : {kSingleTurn, kOneRun}) {
        for (const char* question : {"", " \n"}) {
            CHECK(refusal(model, text, optionsOf(mode, 64, question)) ==
                  "With the setting mode at single-turn or one-run, GemFilter chooses tokens for "
                  "one question while it reads. Give that question (--question), or leave the "
                  "setting at multi-turn, which chooses anew for each.");
        }
        CHECK(refusal(model, text, optionsOf(mode, 64, text))
                  .starts_with("The question and the text before the document have "));
        CHECK(refusal(model, text, optionsOf(mode, 64, "Where?")) == "");
    }
    CHECK_THROWS_WITH_AS(parseSetting("gemfilter", "mode", "twice"),
                         "The setting mode cannot be \"twice\". Write one of: multi-turn, "
                         "single-turn, one-run.",
                         Error);
    CHECK(parseSetting("gemfilter", "mode", "one-run") == kOneRun);
}
