// Which page an answer's sentences are cited on. The books are reference data beside the project,
// and what stands on which of their pages is what pdftotext says; where one of them is absent the
// test says so and passes.

#include "app/documents/document_reader.h"
#include "app/jobs/citations.h"
#include "app/jobs/normalised_text.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <doctest/doctest.h>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using app::CitationRecord;
using app::PageRecord;

constexpr std::size_t kSentences = 50;
constexpr std::uint32_t kSeed = 20261127;

std::vector<PageRecord> pagesOf(const app::ImportedDocument& document)
{
    std::vector<PageRecord> pages;
    for (const app::ImportedPage& each : document.pages)
        pages.push_back({.index = pages.size(), .label = each.label, .range = each.range});
    return pages;
}

/// An answer that says one thing, with its attention (if any) on one token.
engine::Answer answerOf(const std::string& text, std::vector<std::uint32_t> tokens = {})
{
    engine::Answer answer;
    answer.text = text;
    engine::Evidence evidence;
    evidence.sentence = {0, static_cast<std::uint32_t>(text.size())};
    for (const std::uint32_t token : tokens)
        evidence.places.push_back({.token = token, .mass = 1.0F});
    answer.evidence.push_back(evidence);
    return answer;
}

std::string outputOf(const std::string& command)
{
    std::string output;
    std::array<char, 65536> buffer{};
    FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
    if (pipe == nullptr)
        return output;
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
        output.append(buffer.data(), got);
    pclose(pipe);
    return output;
}

/// The text of each page. pdftotext joins words at "-" but not at U+2010, the same hyphen.
std::vector<std::string> pagesByPdftotext(const std::filesystem::path& file)
{
    std::string output = outputOf("pdftotext '" + file.string() + "' -");
    const std::string hyphen = "\u2010\n";
    for (std::size_t at = output.find(hyphen); at != std::string::npos;
         at = output.find(hyphen, at))
        output.erase(at, hyphen.size());
    std::vector<std::string> pages;
    for (std::size_t begin = 0; begin < output.size();) {
        const std::size_t end = std::min(output.find('\f', begin), output.size());
        pages.push_back(app::NormalisedText(output.substr(begin, end - begin)).text());
        begin = end + 1;
    }
    return pages;
}

struct Sentence
{
    std::string text;
    std::size_t page = 0;
};

/// The sentences of 6 to 60 words that stand on one page as a whole.
std::vector<Sentence> sentencesOf(const std::vector<std::string>& pages)
{
    std::vector<Sentence> sentences;
    for (std::size_t page = 0; page < pages.size(); ++page) {
        const std::string& text = pages[page];
        // What stands before the first end of a sentence began on the page before.
        std::size_t begin = text.find(". ");
        while (begin != std::string::npos && begin + 2 < text.size()) {
            begin += 2;
            const std::size_t end = text.find(". ", begin);
            if (end == std::string::npos)
                break;
            const std::string sentence = text.substr(begin, end + 1 - begin);
            const auto words = std::ranges::count(sentence, ' ') + 1;
            if (words >= 6 && words <= 60)
                sentences.push_back({sentence, page});
            begin = end;
        }
    }
    return sentences;
}

/// Sentences that stand on one page only: of the others, words alone cannot say which one is meant.
std::vector<Sentence> sample(const std::vector<std::string>& pages)
{
    std::vector<Sentence> all = sentencesOf(pages);
    std::erase_if(all, [&](const Sentence& each) {
        return std::ranges::count_if(pages, [&](const std::string& page) {
                   return page.find(each.text) != std::string::npos;
               }) != 1;
    });
    std::mt19937 random(kSeed); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same every time
    std::vector<Sentence> chosen;
    while (chosen.size() < kSentences && !all.empty()) {
        const std::size_t at = random() % all.size();
        chosen.push_back(all[at]);
        all.erase(all.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return chosen;
}

void checkBook(const std::filesystem::path& file, const app::ImportedDocument& document)
{
    const auto records = pagesOf(document);
    const auto sentences = sample(pagesByPdftotext(file));
    if (sentences.empty()) {
        MESSAGE("SKIPPED: pdftotext (poppler-utils) is not installed");
        return;
    }
    REQUIRE(sentences.size() == kSentences);
    std::size_t right = 0;
    std::size_t whole = 0;
    std::set<std::size_t> pages;
    for (const Sentence& each : sentences) {
        const auto citations =
            app::findCitations({document.text, records, {}}, answerOf(each.text));
        CAPTURE(each.text);
        CAPTURE(each.page + 1);
        CHECK(citations.size() == 1);
        if (citations.size() != 1)
            continue;
        CHECK(citations[0].pageIndex == each.page);
        CHECK(citations[0].pageLabel == document.pages[each.page].label);
        right += citations[0].pageIndex == each.page ? 1 : 0;
        whole += citations[0].quote == each.text ? 1 : 0;
        pages.insert(each.page);
    }
    MESSAGE(file.filename().string()
            << ": " << right << " of " << kSentences << " quoted sentences on the right page ("
            << pages.size() << " pages of " << records.size() << "), " << whole
            << " marked as a whole, seed " << kSeed);
    CHECK(right == kSentences);
}

} // namespace

TEST_CASE("sentences quoted from the PDF books are cited on the page where pdftotext has them")
{
    const auto folder = std::filesystem::path(SHARED_DIR) / "corpus" / "pdf";
    if (!std::filesystem::exists(folder)) {
        MESSAGE("SKIPPED: no reference books in " << folder.string());
        return;
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        CAPTURE(entry.path().filename().string());
        const auto document = app::readDocument(entry.path());
        if (document.text.empty())
            MESSAGE(entry.path().filename().string() << ": no text layer, nothing to quote");
        else
            checkBook(entry.path(), document);
    }
}

TEST_CASE("answers of a model are cited on the page that they were read from")
{
    const auto file = std::filesystem::path(SHARED_DIR) / "corpus" / "pdf" /
                      "charles-darwin_natural-selection_two-column.pdf";
    if (!std::filesystem::exists(file)) {
        MESSAGE("SKIPPED: no reference book " << file.string());
        return;
    }
    auto document = app::readDocument(file);
    document.pages.resize(READ_PAGES);
    document.text.resize(document.pages.back().range.end);
    const auto records = pagesOf(document);
    std::vector<std::string> pages;
    for (const PageRecord& each : records)
        pages.push_back(app::NormalisedText(document.text.substr(each.range.begin,
                                                                 each.range.end - each.range.begin))
                            .text());
    engine::PrepareOptions options;
    options.method = "full";
    options.store = engine::KvType::F16;
    const auto model = tests::loadReader();
    const auto context = tests::prepare(model, document.text, options);
    const auto ranges = engine::tokenRanges(*context);
    std::size_t continued = 0;
    std::size_t right = 0;
    for (const Sentence& each : sample(pages)) {
        // The reader sees three tokens only, so it may go on from somewhere else.
        const std::size_t half = each.text.find(' ', each.text.size() / 2);
        const engine::Answer answer = tests::ask(model, context, each.text.substr(0, half));
        if (!answer.text.starts_with(each.text.substr(half + 1)))
            continue;
        ++continued;
        const auto found = app::findCitations({document.text, records, ranges}, answer);
        CAPTURE(answer.text);
        REQUIRE_FALSE(found.empty());
        CHECK(found[0].pageIndex == each.page);
        right += found[0].pageIndex == each.page ? 1 : 0;
    }
    MESSAGE("the reader went on with " << continued << " of " << kSentences
                                       << " sentences of which it was given the first half; "
                                       << right << " of them are cited on the right page");
    CHECK(continued >= kSentences / 2);
}

TEST_CASE("words that stand in two places are cited where the attention fell")
{
    const std::string text = "The gate is shut at dusk. Later.\nThe gate is shut at dusk. Again.";
    const std::vector<PageRecord> pages{{.index = 0, .label = "i", .range = {0, 33}},
                                        {.index = 1, .label = "ii", .range = {33, 66}}};
    const std::vector<app::ByteRange> tokens{{0, 33}, {33, 66}};
    for (const std::uint32_t page : {0U, 1U}) {
        const auto found = app::findCitations({text, pages, tokens},
                                              answerOf("The gate is shut at dusk.", {page}));
        REQUIRE(found.size() == 1);
        CHECK(found[0].pageIndex == page);
        CHECK(found[0].pageLabel == pages[page].label);
        CHECK(found[0].quote == "The gate is shut at dusk.");
        CHECK(found[0].range.begin == pages[page].range.begin);
    }
}

TEST_CASE("line breaks do not hide a quotation, and a sentence's longest quoted part is marked")
{
    const std::string text = "They sailed\n  at the turn of\tthe tide, and nobody waved.";
    const std::vector<PageRecord> pages{{.index = 0, .label = "1", .range = {0, 60}}};
    const auto found = app::findCitations(
        {text, pages, {}}, answerOf("It says that they left at the turn of the tide, gladly."));
    REQUIRE(found.size() == 1);
    CHECK(found[0].quote == "at the turn of the tide,");
    CHECK(text.substr(found[0].range.begin, 6) == "at the");
}

TEST_CASE("what is said in other words is cited on the page of its attention, without a quote")
{
    const std::vector<std::string> texts{
        "A cargo of tin was lost off the cape.", "Nobody said that this document would be missed.",
        "The captain sold his boat in March.", "That is not what was in the letter."};
    std::string text;
    std::vector<PageRecord> pages;
    std::vector<app::ByteRange> tokens;
    for (const std::string& each : texts) {
        const auto begin = static_cast<std::uint32_t>(text.size());
        text += each + "\n";
        tokens.push_back({begin, static_cast<std::uint32_t>(text.size())});
        pages.push_back({.index = pages.size(), .label = "p", .range = tokens.back()});
    }
    const std::string answer = "In March a boat was sold by its captain.";
    CHECK(app::findCitations({text, pages, tokens}, answerOf(answer)).empty());
    const auto found = app::findCitations({text, pages, tokens}, answerOf(answer, {2}));
    REQUIRE(found.size() == 1);
    CHECK(found[0].pageIndex == 2);
    CHECK(found[0].quote.empty());
    CHECK(found[0].range.begin == found[0].range.end);
    // Attention on a page that has nothing to do with the sentence names no page.
    CHECK(app::findCitations({text, pages, tokens}, answerOf(answer, {0})).empty());
    for (std::uint32_t page = 0; page < texts.size(); ++page)
        CHECK(app::findCitations({text, pages, tokens},
                                 answerOf("That is not in this document.", {page}))
                  .empty());
}
