#include "engine/text/sentences.h"

#include <algorithm>
#include <array>

namespace engine {
namespace {

constexpr std::array<std::string_view, 5> kClosing{"”", "’", "\"", "'", ")"};
constexpr std::array<std::string_view, 15> kAbbreviations{"Mr",   "Mrs", "Ms",  "Dr",  "St",
                                                          "Capt", "Col", "Gen", "Esq", "Rev",
                                                          "Prof", "vol", "cf",  "viz", "Mme"};

bool isBlank(char each)
{
    return each == ' ' || each == '\n' || each == '\t';
}

bool isAsciiLetter(char each)
{
    return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z');
}

/// Behind the quotation marks and brackets that close at `at`.
std::size_t behindClosing(std::string_view text, std::size_t at)
{
    for (bool found = true; found;) {
        found = false;
        for (const std::string_view mark : kClosing) {
            if (text.substr(at).starts_with(mark)) {
                at += mark.size();
                found = true;
            }
        }
    }
    return at;
}

/// Whether the word before the full stop at `stop` is shortened by it.
bool isAbbreviated(std::string_view text, std::size_t stop)
{
    std::size_t begin = stop;
    while (begin > 0 && isAsciiLetter(text[begin - 1]))
        --begin;
    const std::string_view word = text.substr(begin, stop - begin);
    if (word.size() == 1)
        return word[0] >= 'A' && word[0] <= 'Z' && word != "I";
    return std::ranges::find(kAbbreviations, word) != kAbbreviations.end();
}

/// The end of the sentence whose stop is at `stop`, or 0 where it goes on.
std::size_t endOfSentence(std::string_view text, std::size_t stop)
{
    if (text[stop] != '.' && text[stop] != '!' && text[stop] != '?')
        return 0;
    const std::size_t end = behindClosing(text, stop + 1);
    if (end < text.size() && !isBlank(text[end]))
        return 0;
    const std::size_t next = text.find_first_not_of(" \t\n", end);
    if (next != std::string_view::npos && text[next] >= 'a' && text[next] <= 'z')
        return 0;
    return text[stop] == '.' && isAbbreviated(text, stop) && end < text.size() ? 0 : end;
}

} // namespace

std::vector<ByteRange> splitSentences(std::string_view text)
{
    std::vector<ByteRange> sentences;
    std::size_t begin = 0;
    const auto add = [&](std::size_t end) {
        if (text.substr(begin, end - begin).find_first_not_of(" \n\t") != std::string_view::npos)
            sentences.push_back(
                {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
        begin = end;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::size_t end = text[i] == '\n' ? i + 1 : endOfSentence(text, i);
        if (end > begin)
            add(end);
    }
    add(text.size());
    return sentences;
}

} // namespace engine
