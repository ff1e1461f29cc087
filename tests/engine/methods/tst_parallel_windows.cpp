// Documents in windows side by side, and questions that find theirs.

#include "engine/dialog/context.h"
#include "engine/methods/parallel_windows.h"
#include "engine/methods/parallel_windows_answer.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"
#include "tests/engine/methods/reader_variant.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

namespace {

using namespace engine;

std::shared_ptr<LoadedModel> trainedReader()
{
    static const auto model = loadModel(SOURCE_DIR "/resources/models/reader.gguf");
    return model;
}

PrepareOptions optionsOf(const std::string& method, std::map<std::string, double> settings = {})
{
    PrepareOptions options;
    options.method = method;
    options.store = KvType::F16;
    options.settings = std::move(settings);
    return options;
}

std::vector<float> keysOf(const KvStore& store, kernels::EntryRange rows, std::uint32_t layer,
                          std::uint32_t head)
{
    std::vector<float> keys(std::size_t{rows.end - rows.begin} * store.shape().headDim);
    store.list(layer, head).readKeys(keys, rows.begin, store.shape().headDim);
    return keys;
}

/// Root of the mean square of a - b, as a share of that of a.
double relativeDifference(const std::vector<float>& a, const std::vector<float>& b)
{
    REQUIRE(a.size() == b.size());
    double difference = 0;
    double size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
        size += double{a[i]} * a[i];
    }
    return std::sqrt(difference / size);
}

ParallelWindows windowsOf(const Context& context)
{
    return ParallelWindows::read(context.methodState());
}

/// Four facts at even distances in a text of a bit more than 4,000 tokens of the trained reader.
struct Facts
{
    std::vector<std::pair<std::string, std::string>> asked{
        {"What is the pass key for Ottilie?", "48213"},
        {"Where does Barnabas live?", "Sheffield"},
        {"What is the pass key for Leopold?", "70956"},
        {"What is the secret code?", "KM-5518"},
    };
    std::string text;

    Facts()
    {
        const std::vector<std::string> sentences{
            "The pass key for Ottilie is 48213.", "Barnabas lives in Sheffield.",
            "The pass key for Leopold is 70956.", "The secret code is KM-5518."};
        for (std::uint32_t part = 0; part < sentences.size(); ++part)
            text += tests::makeText(380, part + 1) + "\n\n" + sentences[part] + "\n\n";
        text += tests::makeText(380, 9);
    }
};

} // namespace

TEST_CASE("windows are as long as allowed and end behind a line, else behind a sentence")
{
    // Token i is "w", but every 7th is a full stop and every 30th a line's end.
    const auto text = [](std::uint32_t begin, std::uint32_t end) -> std::string {
        REQUIRE(end == begin + 1);
        return begin % 30 == 29 ? ".\n\n" : begin % 7 == 6 ? "." : "w";
    };
    CHECK(cutWindows(2, 100, 100, text).ends == std::vector<std::uint32_t>{100});
    CHECK(cutWindows(2, 0, 100, text).ends.empty());
    // The last eighth of 32 rows is 28 to 31; line ends are at 30, 60 and 90.
    CHECK(cutWindows(2, 100, 32, text).ends == std::vector<std::uint32_t>{30, 60, 90, 100});
    // Those of 16 rows are their last two: no end, no end, no end, a stop before the last one.
    CHECK(cutWindows(2, 70, 16, text).ends == std::vector<std::uint32_t>{16, 32, 48, 63, 70});
    const auto bare = [](std::uint32_t, std::uint32_t) { return std::string("w"); };
    CHECK(cutWindows(0, 50, 16, bare).ends == std::vector<std::uint32_t>{16, 32, 48, 50});
}

TEST_CASE("the list of windows comes back as it was, and damaged ones are refused")
{
    const ParallelWindows windows{3, {40, 90, 100}};
    const ParallelWindows back = ParallelWindows::read(windows.write());
    CHECK(back.prefix == 3);
    CHECK(back.ends == windows.ends);
    CHECK(back.rows(1).begin == 43);
    CHECK(back.rows(1).end == 93);
    const auto bytes = windows.write();
    for (std::size_t length = 0; length < bytes.size(); ++length)
        CHECK_THROWS_AS(ParallelWindows::read(std::span(bytes).first(length)), Error);
    CHECK_THROWS_AS(ParallelWindows::read((ParallelWindows{3, {40, 40}}).write()), Error);
    CHECK_THROWS_AS(ParallelWindows::read((ParallelWindows{3, {0, 40}}).write()), Error);
}

TEST_CASE("the divergence is the mean of the difference of logarithms")
{
    const auto logits = [](double p, float shift) {
        return std::vector<float>{static_cast<float>(std::log(p)) + shift,
                                  static_cast<float>(std::log(1 - p)) + shift};
    };
    const double expected = 0.5 * std::log(0.5 / 0.9) + 0.5 * std::log(0.5 / 0.1);
    CHECK(divergence(logits(0.5, 0), logits(0.9, 0)) == doctest::Approx(expected).epsilon(1e-5));
    CHECK(divergence(logits(0.5, 3), logits(0.9, -70)) == doctest::Approx(expected).epsilon(1e-4));
    CHECK(divergence(logits(0.3, 0), logits(0.3, 5)) == doctest::Approx(0).epsilon(1e-6));
    CHECK(divergence(logits(0.9, 0), logits(0.5, 0)) > 0);
}

TEST_CASE("the agreement is the logarithm of the chance that two draws are the same")
{
    const auto logits = [](double p, float shift) {
        return std::vector<float>{static_cast<float>(std::log(p)) + shift,
                                  static_cast<float>(std::log(1 - p)) + shift};
    };
    const double expected = std::log(0.5 * 0.9 + 0.5 * 0.1);
    CHECK(agreement(logits(0.5, 0), logits(0.9, 0)) == doctest::Approx(expected).epsilon(1e-5));
    CHECK(agreement(logits(0.5, 90), logits(0.9, -70)) == doctest::Approx(expected).epsilon(1e-4));
    CHECK(agreement(logits(0.9, 0), logits(0.9, 0)) > agreement(logits(0.9, 0), logits(0.2, 0)));
}

TEST_CASE("a document that fits one window is read as with full")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    const auto full = tests::prepare(model, text, optionsOf("full"));
    const auto one = tests::prepare(model, text, optionsOf("parallel-windows"));
    REQUIRE(windowsOf(*one).count() == 1);
    CHECK(one->store().positions() == full->store().positions());
    const kernels::EntryRange all{0, full->store().rowCount()};
    for (std::uint32_t layer = 0; layer < full->store().shape().layers; ++layer)
        CHECK(keysOf(one->store(), all, layer, 0) == keysOf(full->store(), all, layer, 0));
}

TEST_CASE("each window is read as if the document were it alone, and all end at one position")
{
    const auto model = trainedReader();
    const std::string text = tests::makeText(700);
    const auto context =
        tests::prepare(model, text, optionsOf("parallel-windows", {{"window", 400}}));
    const ParallelWindows windows = windowsOf(*context);
    REQUIRE(windows.count() > 3);
    const KvStore& store = context->store();
    const std::vector<ByteRange> ranges = tokenRanges(*context);
    std::uint32_t longest = 0;
    for (std::uint32_t i = 0; i < windows.count(); ++i)
        longest = std::max(longest, windows.rows(i).end - windows.rows(i).begin);
    CHECK(longest <= 400);
    CHECK(store.nextPosition() == static_cast<std::int32_t>(windows.prefix + longest));
    for (std::uint32_t i = 0; i < windows.count(); ++i) {
        const kernels::EntryRange rows = windows.rows(i);
        CHECK(store.position(rows.end - 1) + 1 == store.nextPosition());
        if (rows.end - rows.begin != longest)
            continue; // stands farther from the prefix than a document of its own would
        // The text of the window alone; where it cuts a word, its tokens may be others.
        const std::uint32_t begin = ranges[rows.begin - windows.prefix].begin;
        const std::uint32_t end = ranges[rows.end - 1 - windows.prefix].end;
        const auto alone =
            tests::prepare(model, text.substr(begin, end - begin), optionsOf("full"));
        REQUIRE(alone->store().rowCount() == windows.prefix + longest);
        for (std::uint32_t layer = 0; layer < store.shape().layers; ++layer) {
            for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head) {
                // float16 keys; the activations of 8 bits round what differs by less than that.
                CHECK(relativeDifference(keysOf(store, rows, layer, head),
                                         keysOf(alone->store(),
                                                {windows.prefix, windows.prefix + longest}, layer,
                                                head)) < 0.02);
            }
        }
    }
}

TEST_CASE("questions are answered from documents that are longer than the model's window")
{
    const auto model = trainedReader();
    const Facts facts;
    const auto context = tests::prepare(
        model, facts.text, optionsOf("parallel-windows", {{"window", 1000}, {"best", 1}}));
    REQUIRE(windowsOf(*context).count() >= 5);
    Conversation conversation(model, context);
    for (const auto& [question, value] : facts.asked) {
        CAPTURE(question);
        const Answer answer = conversation.ask(question, {.maxTokens = 20}, {});
        CHECK(answer.text == value);
        CHECK(answer.tokensReread == 0);
        // What the answer rests on is where the fact stands.
        REQUIRE(!answer.evidence.empty());
        const ByteRange place = tokenRanges(*context)[answer.evidence.front().places.front().token];
        const std::size_t fact = facts.text.find(value);
        CHECK(place.begin + 40 > fact);
        CHECK(place.begin < fact + 40);
    }
    CHECK(conversation.ask("What is the pass key for Hildebrand?", {.maxTokens = 20}, {}).text ==
          "That is not in this document.");
}

TEST_CASE("a stored conversation goes on as if it had not been interrupted")
{
    const auto model = trainedReader();
    const Facts facts;
    const auto context = tests::prepare(
        model, facts.text, optionsOf("parallel-windows", {{"window", 1000}, {"best", 1}}));
    Conversation straight(model, context);
    std::vector<Exchange> earlier;
    for (std::size_t i = 0; i < 2; ++i) {
        const std::string& question = facts.asked[i].first;
        earlier.push_back({question, straight.ask(question, {.maxTokens = 20}, {}).text});
    }
    Conversation resumed(model, context, earlier);
    for (std::size_t i = 2; i < 4; ++i) {
        const Answer a = straight.ask(facts.asked[i].first, {.maxTokens = 20}, {});
        const Answer b = resumed.ask(facts.asked[i].first, {.maxTokens = 20}, {});
        CHECK(a.text == b.text);
        REQUIRE(a.evidence.size() == b.evidence.size());
        CHECK(a.evidence.front().places.front().token == b.evidence.front().places.front().token);
    }
}

TEST_CASE("a question chooses its window, also behind an earlier one, and leaves nothing behind")
{
    const auto model = trainedReader();
    const Facts facts;
    const auto context = tests::prepare(
        model, facts.text, optionsOf("parallel-windows", {{"window", 1000}, {"best", 1}}));
    const auto windows = std::make_shared<ParallelWindows>(windowsOf(*context));
    ParallelWindowsAnswer one(model->transformer(), windows, 1, 8);
    ParallelWindowsAnswer two(model->transformer(), windows, 2, 8);
    ParallelWindowsAnswer alone(model->transformer(), windows, 1, 1);
    CHECK(one.chosen().size() == windows->count());
    KvStore store = context->store();
    for (const auto& [question, value] : facts.asked) {
        CAPTURE(question);
        auto tokens = model->tokenizer().encode(question, SpecialTokens::AsText, false).ids;
        for (const char* mark : {"<|end|>", "<|assistant|>"})
            tokens.push_back(
                model->tokenizer().encode(mark, SpecialTokens::Parse, false).ids.at(0));
        one.beforeQuestion(tokens, store, {});
        two.beforeQuestion(tokens, store, {});
        alone.beforeQuestion(tokens, store, {});
        CHECK(store.rowCount() == context->store().rowCount());
        CHECK(store.nextPosition() == context->store().nextPosition());
        const auto fact = static_cast<std::uint32_t>(facts.text.find(value));
        const auto ranges = tokenRanges(*context);
        const auto token = static_cast<std::uint32_t>(
            std::ranges::find_if(ranges, [&](const ByteRange& r) { return fact < r.end; }) -
            ranges.begin());
        REQUIRE(one.chosen().size() == 1);
        const kernels::EntryRange rows = windows->rows(one.chosen().front());
        CHECK(rows.begin <= windows->prefix + token);
        CHECK(windows->prefix + token < rows.end);
        // Where only one window has anything like it, it is found either way.
        CHECK(std::ranges::equal(alone.chosen(), one.chosen()));
        CHECK(two.chosen().size() == 2);
        CHECK(std::ranges::find(two.chosen(), one.chosen().front()) != two.chosen().end());
    }
}

TEST_CASE("windows that are asked in one job are ranked as if each had been asked in its own")
{
    const auto model = trainedReader();
    const Facts facts;
    const auto context = tests::prepare(
        model, facts.text, optionsOf("parallel-windows", {{"window", 400}, {"best", 1}}));
    const auto windows = std::make_shared<ParallelWindows>(windowsOf(*context));
    REQUIRE(windows->count() > 8);
    const auto encode = [&](const std::string& text) {
        return model->tokenizer().encode(text, SpecialTokens::Parse, false).ids;
    };
    const std::vector<std::int32_t> earlier =
        encode("<|user|>" + facts.asked[0].first + "<|end|><|assistant|>" + facts.asked[0].second +
               "<|end|>");
    const std::vector<std::int32_t> turn =
        encode("<|user|>" + facts.asked[2].first + "<|end|><|assistant|>");
    for (const bool hasEarlier : {false, true}) {
        CAPTURE(hasEarlier);
        // The first 1, 2, 3 ... of them are the same, so the order is.
        for (std::uint32_t best = 1; best < windows->count(); ++best) {
            std::vector<std::vector<std::uint32_t>> chosen;
            for (const std::size_t blockRows :
                 {std::size_t{1}, 2 * turn.size(), std::size_t{512}}) {
                ParallelWindowsAnswer answer(model->transformer(), windows, best, 1, blockRows);
                KvStore store = context->store();
                if (hasEarlier) {
                    answer.takeExchange(earlier, store, {});
                    Job job;
                    job.tokens = earlier;
                    job.role = Role::Query;
                    for (std::size_t i = 0; i < earlier.size(); ++i)
                        job.positions.push_back(store.nextPosition() + static_cast<int>(i));
                    model->transformer().run(job, store, answer);
                }
                const std::uint32_t rows = store.rowCount();
                answer.beforeQuestion(turn, store, {});
                CHECK(store.rowCount() == rows);
                chosen.emplace_back(answer.chosen().begin(), answer.chosen().end());
            }
            CAPTURE(best);
            CHECK(chosen[0] == chosen[1]);
            CHECK(chosen[0] == chosen[2]);
        }
    }
}

TEST_CASE("with best 0 a question sees everything, as in the paper")
{
    const auto model = tests::loadReader();
    const auto context = tests::prepare(
        model, tests::makeText(500), optionsOf("parallel-windows", {{"window", 300}, {"best", 0}}));
    REQUIRE(windowsOf(*context).count() > 2);
    Conversation all(model, context);
    Conversation plain(model, context, {}, std::make_unique<PlainAnswer>());
    const AskOptions options{.maxTokens = 12, .raw = true};
    CHECK(all.ask("The", options, {}).text == plain.ask("The", options, {}).text);
}

TEST_CASE("no document is too long, but a window may be")
{
    const auto model = tests::loadReaderWithWindow(1024);
    const std::string text = tests::makeText(3000);
    CHECK_THROWS_AS(Preparation(model, text, optionsOf("full")), Error);
    CHECK_THROWS_AS(Preparation(model, text, optionsOf("parallel-windows", {{"window", 1024}})),
                    Error);
    const auto context = tests::prepare(model, text, optionsOf("parallel-windows"));
    CHECK(windowsOf(*context).count() > 6); // of a quarter of the model's window
}
