// HOMER against truncation, on documents longer than the window of a constructed reader: what is
// found, and how much memory the keys and values take (structural.md 3.5).

#include "engine/dialog/context.h"
#include "engine/dialog/prepare_options.h"
#include "engine/methods/homer_schedule.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"
#include "tests/engine/methods/reader_variant.h"
#include "tests/engine/reader/needle_text.h"

#include <algorithm>
#include <cstdio>
#include <doctest/doctest.h>

namespace {

using namespace engine;

constexpr std::uint32_t kWindow = 4096;
constexpr std::size_t kNeedles = 8;
constexpr std::size_t kParagraphs = HOMER_PARAGRAPHS; // between two needles
constexpr bool kWhole = kParagraphs >= 89;            // sanitizers read less

std::shared_ptr<LoadedModel> deepReader()
{
    static const auto model = tests::loadDeepReader(kWindow);
    return model;
}

bool finds(const std::shared_ptr<const Context>& context, const tests::Needle& needle)
{
    Conversation conversation(deepReader(), context);
    return conversation.ask(needle.question, {.maxTokens = 24}, {}).text == needle.answer;
}

PrepareOptions optionsOf(const std::string& method)
{
    PrepareOptions options;
    options.method = method;
    options.keep = 1;
    return options;
}

/// The end of a text, as much of it as the window holds.
std::string truncated(const std::string& text)
{
    const auto tokens = tokenizerOf(*deepReader()).encode(text, SpecialTokens::AsText, false);
    const std::size_t kept = std::min<std::size_t>(tokens.ids.size(), kWindow - 128);
    return text.substr(tokens.ranges[tokens.ids.size() - kept].begin);
}

/// Drives HOMER as Preparation does and returns the most bytes that the store had, which is before
/// a node's rows are dropped.
std::size_t peakBytes(const std::string& text, std::uint64_t& formula)
{
    LoadedModel& model = *deepReader();
    PrepareOptions options = optionsOf("homer");
    options.settings = {{"samples", 0}};
    const PromptTokens prompts(model, "", false);
    const TokenisedText tokens = model.tokenizer().encode(text, SpecialTokens::AsText, false);
    const DocumentPlan plan = makePlan(model, prompts, text, tokens, options);
    const std::unique_ptr<Method> method = findMethod("homer").make(plan);
    KvStore store(model.kvShape(), KvType::F16);
    std::size_t peak = 0;
    std::uint32_t suffix = 0;
    while (auto job = method->nextJob(store)) {
        const JobResult result = model.transformer().run(*job, store, *method);
        peak = std::max(peak, store.bytes());
        if (suffix == 0)
            suffix = static_cast<std::uint32_t>(job->tokens.size() - job->documentTokens) -
                     plan.prefixRows();
        method->onJobResult(*job, result);
        method->onJobEnd(*job, store);
    }
    const KvShape shape = model.kvShape();
    const std::uint64_t bytesOfRow = std::uint64_t{shape.kvHeads} * shape.headDim * 2 * 2;
    formula = planHomer({.prefix = plan.prefixRows(),
                         .suffix = suffix,
                         .document = plan.documentRows(),
                         .layers = plan.layers,
                         .largestChunk = kWindow / 2,
                         .warmUp = {},
                         .target = plan.keptPerHead()})
                  .peakRowLayers() *
              bytesOfRow;
    return peak;
}

} // namespace

TEST_CASE("eight times the window: HOMER finds what truncation cannot")
{
    const tests::NeedleText haystack = tests::makeNeedleText(kNeedles, kParagraphs);
    // One bias table for all: from few pieces, what recurs in one of them would distort it.
    PrepareOptions neutral = optionsOf("homer");
    neutral.settings = {{"samples", 16}};
    const auto agnostic = tests::prepare(deepReader(), haystack.text, neutral);
    std::size_t withQuestion = 0;
    std::uint64_t tokens = 0;
    double seconds = 0;
    for (const tests::Needle& needle : haystack.needles) {
        PrepareOptions options = optionsOf("homer");
        options.question = needle.question;
        options.biasTable = biasTable(*agnostic);
        const auto context = tests::prepare(deepReader(), haystack.text, options);
        tokens = contextInfo(*context).tokens;
        seconds += contextInfo(*context).seconds;
        CHECK(keptCounts(*context).front() < kWindow / 2);
        withQuestion += finds(context, needle) ? 1 : 0;
    }
    const auto cut = tests::prepare(deepReader(), truncated(haystack.text), optionsOf("full"));
    std::size_t withoutQuestion = 0;
    std::size_t inTheEnd = 0;
    for (const tests::Needle& needle : haystack.needles) {
        withoutQuestion += finds(agnostic, needle) ? 1 : 0;
        inTheEnd += finds(cut, needle) ? 1 : 0;
    }
    std::printf("\n%llu tokens, window %u: found of %zu: truncation %zu, HOMER with the question "
                "%zu (%.1f s each), HOMER without a question %zu\n",
                static_cast<unsigned long long>(tokens), kWindow, kNeedles, inTheEnd, withQuestion,
                seconds / kNeedles, withoutQuestion);
    CHECK(withQuestion * 4 >= kNeedles * 3);
    if (kWhole) {
        CHECK(tokens >= 8 * kWindow);
        CHECK(inTheEnd <= kNeedles / 8);
    }
}

TEST_CASE("H8: the memory of keys and values grows with the height of the tree")
{
    std::printf("\n  tokens   peak MiB   formula MiB   all rows MiB\n");
    std::size_t last = 0;
    for (const std::size_t needleCount : {2U, 4U, 8U, 16U}) {
        if (!kWhole && needleCount > 4)
            break;
        // About 8k, 16k, 32k and 64k tokens.
        const std::string text = tests::makeNeedleText(needleCount + 1, kParagraphs - 13).text;
        std::uint64_t formula = 0;
        const std::size_t peak = peakBytes(text, formula);
        const std::size_t tokens =
            tokenizerOf(*deepReader()).encode(text, SpecialTokens::AsText, false).ids.size();
        const KvShape shape = deepReader()->kvShape();
        const double all =
            static_cast<double>(tokens) * shape.layers * shape.kvHeads * shape.headDim * 4.0;
        constexpr double kMiB = 1024.0 * 1024.0;
        std::printf("%8zu   %8.1f   %11.1f   %12.1f\n", tokens, static_cast<double>(peak) / kMiB,
                    static_cast<double>(formula) / kMiB, all / kMiB);
        // Besides keys and values: half-filled pages, four bytes a row, the table of rows.
        const double pages = 64.0 * shape.layers * shape.kvHeads * shape.headDim * 4;
        CHECK(static_cast<double>(peak) >= static_cast<double>(formula));
        CHECK(static_cast<double>(peak) <=
              1.04 * static_cast<double>(formula) + pages + 16.0 * static_cast<double>(tokens));
        // The document doubles. The short ones of a sanitized build are a single chunk each.
        if (last != 0 && kWhole)
            CHECK(peak < last + last / 2);
        last = peak;
    }
}
