#include "app/jobs/citations.h"

#include "app/jobs/normalised_text.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace app {
namespace {

constexpr std::size_t kQuoteWords = 4;
/// Share of a sentence's attention on one page above which the page is named without a quote.
constexpr double kClearShare = 0.5;
/// Words of at least so many letters, on at most one page in kRarePages, tell pages apart.
constexpr std::size_t kTellingLetters = 5;
constexpr std::size_t kRarePages = 4;
/// Telling words that a sentence and a page must share for the page to be named without a quote.
constexpr std::size_t kSharedWords = 2;

struct Match
{
    std::size_t begin = 0; // in the normalised text
    std::size_t end = 0;
};

/// Attention mass on tokens that overlap a byte range.
double massIn(const CitedDocument& document, const engine::Evidence& evidence, ByteRange range)
{
    double mass = 0;
    for (const auto& place : evidence.places) {
        if (place.token >= document.tokenRanges.size())
            continue;
        const ByteRange token = document.tokenRanges[place.token];
        if (token.begin < range.end && token.end > range.begin)
            mass += place.mass;
    }
    return mass;
}

bool isWordByte(char c)
{
    return static_cast<unsigned char>(c) >= 0x80U || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// A quotation must not begin or end inside a word of the document.
bool standsAlone(const std::string& text, std::size_t begin, std::size_t end)
{
    const bool cutsFront = begin > 0 && isWordByte(text[begin - 1]) && isWordByte(text[begin]);
    const bool cutsBack = end < text.size() && isWordByte(text[end]) && isWordByte(text[end - 1]);
    return !cutsFront && !cutsBack;
}

std::vector<Match> occurrences(const NormalisedText& text, const std::string& quote)
{
    std::vector<Match> found;
    for (std::size_t at = text.text().find(quote); at != std::string::npos;
         at = text.text().find(quote, at + 1)) {
        if (standsAlone(text.text(), at, at + quote.size()))
            found.push_back({at, at + quote.size()});
    }
    return found;
}

/// For comparing words: ASCII letters only, which is enough to find one again at a sentence's
/// beginning.
std::string lowerCase(std::string_view text)
{
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

/// The distinct longer words of a sentence, and its numbers, in lower case.
std::set<std::string> longWords(std::string_view sentence)
{
    std::set<std::string> words;
    const std::string lower = lowerCase(sentence);
    for (auto begin = lower.begin(); begin != lower.end();) {
        begin = std::find_if(begin, lower.end(), isWordByte);
        const auto end = std::find_if_not(begin, lower.end(), isWordByte);
        const std::string word(begin, end);
        const bool hasDigit = word.find_first_of("0123456789") != std::string::npos;
        if (word.size() >= kTellingLetters || hasDigit)
            words.insert(word);
        begin = end;
    }
    return words;
}

/// The pages that hold a word; `lower` is the document's text in lower case.
std::vector<std::size_t> pagesWith(std::span<const PageRecord> pages, const std::string& lower,
                                   const std::string& word)
{
    std::vector<std::size_t> found;
    for (std::size_t at = lower.find(word); at != std::string::npos;) {
        std::size_t next = at + 1;
        if (standsAlone(lower, at, at + word.size())) {
            found.push_back(pageIndexOf(pages, static_cast<std::uint32_t>(at)));
            next = std::max<std::size_t>(next, pages[found.back()].range.end);
        }
        at = lower.find(word, next);
    }
    return found;
}

/// Whether a page and a sentence that quotes nothing have to do with each other: attention always
/// falls somewhere, also that of "That is not in this document."
bool sharesTellingWords(const CitedDocument& document, std::string_view sentence, std::size_t page)
{
    const std::string lower = lowerCase(document.text);
    std::size_t shared = 0;
    for (const std::string& word : longWords(sentence)) {
        const auto pages = pagesWith(document.pages, lower, word);
        if (pages.size() * kRarePages <= document.pages.size() &&
            std::ranges::find(pages, page) != pages.end())
            ++shared;
    }
    return shared >= kSharedWords;
}

std::vector<std::string> splitWords(const std::string& sentence)
{
    std::vector<std::string> words;
    std::size_t begin = 0;
    while (begin < sentence.size()) {
        const std::size_t end = std::min(sentence.find(' ', begin), sentence.size());
        if (end > begin)
            words.push_back(sentence.substr(begin, end - begin));
        begin = end + 1;
    }
    return words;
}

/// The longest run of at least kQuoteWords words (or the whole sentence if shorter) that the text
/// contains.
std::vector<Match> longestOccurrences(const NormalisedText& text, const std::string& sentence)
{
    if (auto whole = occurrences(text, sentence); !whole.empty())
        return whole;
    const std::vector<std::string> words = splitWords(sentence);
    std::vector<Match> best;
    std::size_t bestWords = kQuoteWords - 1;
    for (std::size_t first = 0; first + bestWords < words.size(); ++first) {
        std::string quote;
        for (std::size_t last = first; last < words.size(); ++last) {
            quote += (last == first ? "" : " ") + words[last];
            if (last - first + 1 <= bestWords)
                continue;
            auto found = occurrences(text, quote);
            if (found.empty())
                break;
            best = std::move(found);
            bestWords = last - first + 1;
        }
    }
    return best;
}

CitationRecord citationAt(const CitedDocument& document, ByteRange range)
{
    CitationRecord citation;
    const std::size_t page = pageIndexOf(document.pages, range.begin);
    citation.pageIndex = page;
    citation.pageLabel = document.pages[page].label;
    citation.range = range;
    const NormalisedText quote(document.text.substr(range.begin, range.end - range.begin));
    citation.quote = quote.text();
    return citation;
}

/// Whether `next` goes on where `last` ended on the same page, with nothing but white space
/// between.
bool continues(const CitedDocument& document, const CitationRecord& last,
               const CitationRecord& next)
{
    if (last.quote.empty() || next.quote.empty() || last.pageIndex != next.pageIndex ||
        next.range.begin < last.range.end)
        return false;
    const std::string_view between =
        document.text.substr(last.range.end, next.range.begin - last.range.end);
    return NormalisedText(between).text().find_first_not_of(' ') == std::string::npos;
}

std::optional<CitationRecord> citePage(const CitedDocument& document, std::string_view sentence,
                                       const engine::Evidence& evidence)
{
    std::map<std::size_t, double> massOfPage;
    for (const auto& place : evidence.places) {
        if (place.token < document.tokenRanges.size())
            massOfPage[pageIndexOf(document.pages, document.tokenRanges[place.token].begin)] +=
                place.mass;
    }
    const auto best =
        std::ranges::max_element(massOfPage, {}, [](const auto& e) { return e.second; });
    if (best == massOfPage.end() || best->second < kClearShare ||
        !sharesTellingWords(document, sentence, best->first))
        return std::nullopt;
    CitationRecord citation;
    citation.pageIndex = best->first;
    citation.pageLabel = document.pages[best->first].label;
    citation.range = {document.pages[best->first].range.begin,
                      document.pages[best->first].range.begin};
    return citation;
}

std::optional<CitationRecord> citeSentence(const CitedDocument& document,
                                           const NormalisedText& text, std::string_view sentence,
                                           const engine::Evidence& evidence)
{
    std::string wanted = NormalisedText(sentence).text();
    while (!wanted.empty() && wanted.back() == ' ')
        wanted.pop_back();
    if (wanted.empty())
        return std::nullopt;
    const auto found = longestOccurrences(text, wanted);
    if (found.empty())
        return citePage(document, wanted, evidence);
    const auto mass = [&](const Match& match) {
        return massIn(document, evidence, text.original(match.begin, match.end));
    };
    const Match& best = *std::ranges::max_element(found, {}, mass);
    return citationAt(document, text.original(best.begin, best.end));
}

} // namespace

std::size_t pageIndexOf(std::span<const PageRecord> pages, std::uint32_t offset)
{
    const auto after = std::ranges::upper_bound(
        pages, offset, {}, [](const PageRecord& page) { return page.range.begin; });
    return after == pages.begin() ? 0 : static_cast<std::size_t>(after - pages.begin()) - 1;
}

std::vector<CitationRecord> findCitations(const CitedDocument& document,
                                          const engine::Answer& answer)
{
    std::vector<CitationRecord> citations;
    if (document.pages.empty())
        return citations;
    const NormalisedText text(document.text);
    for (const engine::Evidence& evidence : answer.evidence) {
        const std::string_view sentence =
            std::string_view(answer.text)
                .substr(evidence.sentence.begin, evidence.sentence.end - evidence.sentence.begin);
        const auto citation = citeSentence(document, text, sentence, evidence);
        const auto covers = [&](const CitationRecord& earlier) {
            return earlier == *citation ||
                   (!citation->quote.empty() && earlier.range.begin <= citation->range.begin &&
                    citation->range.end <= earlier.range.end);
        };
        if (!citation || std::ranges::any_of(citations, covers))
            continue;
        if (citations.empty() || !continues(document, citations.back(), *citation))
            citations.push_back(*citation);
        else
            citations.back() =
                citationAt(document, {citations.back().range.begin, citation->range.end});
    }
    return citations;
}

} // namespace app
