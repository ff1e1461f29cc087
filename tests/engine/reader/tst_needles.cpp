// Forty sentences hidden at even depths in a text of more than 30,000 tokens: which of them can be
// asked for after each method has prepared the text? With the constructed reader the right numbers
// are known.

#include "engine/engine.h"
#include "tests/engine/reader/needle_text.h"

#include <algorithm>
#include <cstdio>
#include <doctest/doctest.h>
#include <map>
#include <numeric>
#include <string>

#include "resources/models/reader_design.h"

namespace {

constexpr std::size_t kNeedles = 40;
constexpr std::size_t kParagraphs = NEEDLE_PARAGRAPHS; // between two needles

const tests::NeedleText& haystack()
{
    static const tests::NeedleText text = tests::makeNeedleText(kNeedles, kParagraphs);
    return text;
}

std::shared_ptr<engine::LoadedModel> reader()
{
    static const auto model = engine::loadModel(BINARY_DIR "/resources/constructed-reader.gguf");
    return model;
}

struct Outcome
{
    std::shared_ptr<const engine::Context> context;
    std::vector<bool> found; // by needle

    std::size_t count() const { return static_cast<std::size_t>(std::ranges::count(found, true)); }
};

engine::Answer ask(const std::shared_ptr<const engine::Context>& context,
                   const std::string& question)
{
    engine::AskOptions options;
    options.maxTokens = 24;
    engine::Conversation conversation(reader(), context);
    return conversation.ask(question, options, [](std::string_view) {});
}

void printRow(const std::string& method, const Outcome& outcome)
{
    const engine::ContextInfo& info = engine::contextInfo(*outcome.context);
    std::string marks;
    for (const bool found : outcome.found) {
        marks += found ? '#' : '.';
    }
    std::printf("%-14s %5.2f %6.2f %9llu %10llu %8.1f  %2zu/%zu  %s\n", method.c_str(), info.keep,
                info.keptFraction, static_cast<unsigned long long>(info.tokens),
                static_cast<unsigned long long>(info.bytesStored), info.seconds, outcome.count(),
                kNeedles, marks.c_str());
    std::fflush(stdout);
}

Outcome search(const std::string& method, double keep)
{
    engine::PrepareOptions options;
    options.method = method;
    options.keep = keep;
    options.store = engine::KvType::Kivi4;
    engine::Preparation preparation(reader(), haystack().text, options);
    while (preparation.advance()) {
    }
    Outcome outcome;
    outcome.context = preparation.finish();
    for (const tests::Needle& needle : haystack().needles) {
        const engine::Answer answer = ask(outcome.context, needle.question);
        CHECK(answer.tokensReread == 0);
        outcome.found.push_back(answer.text == needle.answer);
    }
    printRow(method, outcome);
    return outcome;
}

/// Whether every head has every token of the needle.
bool isKeptWhole(const engine::Context& context, const tests::Needle& needle)
{
    const auto ranges = engine::tokenRanges(context);
    const auto kept = engine::retentionMap(context);
    for (std::size_t token = 0; token < ranges.size(); ++token) {
        const bool inside =
            ranges[token].begin >= needle.place.begin && ranges[token].end <= needle.place.end;
        if (inside && kept[token] != resources::kLayers * resources::kHeads) {
            return false;
        }
    }
    return true;
}

} // namespace

TEST_CASE("the text is long enough and every needle is the only place for its answer")
{
    const auto tokens = engine::tokenizerOf(*reader()).encode(haystack().text,
                                                              engine::SpecialTokens::AsText, false);
    CHECK(tokens.ids.size() >= 2'000 * kParagraphs);
    CHECK(tokens.ids.size() < 2'300 * (kParagraphs + 1));
    std::map<std::vector<std::int32_t>, std::size_t> counts;
    for (std::size_t i = 3; i <= tokens.ids.size(); ++i) {
        ++counts[{tokens.ids.begin() + static_cast<std::ptrdiff_t>(i) - 3,
                  tokens.ids.begin() + static_cast<std::ptrdiff_t>(i)}];
    }
    for (const tests::Needle& needle : haystack().needles) {
        const std::size_t answerBegin = needle.place.end - needle.answer.size();
        for (std::size_t i = 3; i <= tokens.ids.size(); ++i) {
            const std::size_t end = tokens.ranges[i - 1].end;
            if (end + 1 >= answerBegin && end < needle.place.end) {
                const std::size_t count =
                    counts[{tokens.ids.begin() + static_cast<std::ptrdiff_t>(i) - 3,
                            tokens.ids.begin() + static_cast<std::ptrdiff_t>(i)}];
                CHECK(count == 1);
            }
        }
    }
}

TEST_CASE("full finds all, KVzip nearly all at 0.3, StreamingLLM only what is in its window")
{
    std::printf("\nmethod          keep   kept    tokens      bytes  seconds  found  by depth\n");

    const Outcome full = search("full", 1.0);
    CHECK(full.count() == kNeedles);
    CHECK(ask(full.context, "What follows \"The key to the moon\"?").text.empty());

    const Outcome kvzip = search("kvzip", 0.3);
    CHECK(kvzip.count() >= 36);
    const auto counts = engine::keptCounts(*kvzip.context);
    const std::uint32_t comparing = counts[resources::kHeads + resources::kInductionHead];
    CHECK(comparing == *std::ranges::max_element(counts));
    CHECK(comparing > engine::contextInfo(*kvzip.context).tokens * 99 / 100);

    const Outcome window = search("streaming-llm", 0.3);
    for (std::size_t i = 0; i < kNeedles; ++i) {
        CAPTURE(i);
        const bool kept = isKeptWhole(*window.context, haystack().needles[i]);
        CHECK(window.found[i] == kept);
    }
    CHECK(window.count() > kNeedles / 5);
    CHECK(window.count() < kNeedles / 2);
}
