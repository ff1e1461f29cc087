// Hand-written scanners for the published patterns of byte-level BPE vocabularies. Regular
// expression engines that backtrack overflow their stack on long runs of one class; these only walk
// forward.
#include "engine/text/pretokenizer.h"

#include "engine/text/pretokenizer_scanner.h"

#include <algorithm>
#include <array>

namespace engine {
namespace {

enum class LetterCase
{
    AsWritten,
    Ignored
};

/// 's 't 're 've 'm 'll 'd
std::size_t contractionEnd(const PreTokenizerScanner& scan, std::size_t position,
                           LetterCase letterCase)
{
    if (scan.byteAt(position) != '\'') {
        return position;
    }
    const auto letter = [&](std::size_t at) {
        const char c = scan.byteAt(at);
        const bool upper = c >= 'A' && c <= 'Z';
        return upper && letterCase == LetterCase::Ignored ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const char first = letter(position + 1);
    const char second = letter(position + 2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') {
        return position + 2;
    }
    const bool two = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                     (first == 'l' && second == 'l');
    return two ? position + 3 : position;
}

bool isSymbol(CharacterClass found)
{
    return found != CharacterClass::Space && found != CharacterClass::Letter &&
           found != CharacterClass::Number;
}

/// \s+(?!\S)|\s+ : a run of spaces leaves its last one to the word behind it.
std::size_t spacesEnd(const PreTokenizerScanner& scan, std::size_t position)
{
    std::size_t last = position;
    std::size_t end = position;
    while (scan.classAt(end) == CharacterClass::Space) {
        last = end;
        end += scan.characterAt(end).bytes;
    }
    return end == scan.size() || last == position ? end : last;
}

/// \s*[\r\n]+ : up to the last line break of a run of spaces.
std::size_t spacesToLineBreakEnd(const PreTokenizerScanner& scan, std::size_t position)
{
    std::size_t matched = position;
    while (scan.classAt(position) == CharacterClass::Space) {
        const bool lineBreak = scan.atLineBreak(position);
        position += scan.characterAt(position).bytes;
        if (lineBreak) {
            matched = position;
        }
    }
    return matched;
}

/// The first of `candidates` that matched something.
std::size_t firstMatch(std::size_t position, std::initializer_list<std::size_t> candidates)
{
    for (const std::size_t end : candidates) {
        if (end != position) {
            return end;
        }
    }
    return position;
}

/// The pattern of GPT-2: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// https://github.com/openai/gpt-2/blob/master/src/encoder.py
std::size_t gpt2WordEnd(const PreTokenizerScanner& scan, std::size_t position)
{
    const std::size_t contraction = contractionEnd(scan, position, LetterCase::AsWritten);
    if (contraction != position) {
        return contraction;
    }
    const std::size_t body = position + (scan.byteAt(position) == ' ' ? 1 : 0);
    if (body < scan.size()) {
        const std::size_t end = firstMatch(body, {scan.runEnd(body, CharacterClass::Letter),
                                                  scan.runEnd(body, CharacterClass::Number),
                                                  scan.runEnd(body, isSymbol)});
        if (end != body) {
            return end;
        }
    }
    return spacesEnd(scan, position);
}

/// [^\r\n\p{L}\p{N}]?\p{L}+
std::size_t prefixedLettersEnd(const PreTokenizerScanner& scan, std::size_t position)
{
    std::size_t letters = position;
    const CharacterClass first = scan.classAt(position);
    const bool prefix = first != CharacterClass::Letter && first != CharacterClass::Number;
    if (prefix && !scan.atLineBreak(position)) {
        letters += scan.characterAt(position).bytes;
    }
    const std::size_t end = scan.runEnd(letters, CharacterClass::Letter);
    return end == letters ? position : end;
}

/// \p{N}{1,limit}
std::size_t numbersEnd(const PreTokenizerScanner& scan, std::size_t position, int limit)
{
    for (int i = 0; i < limit && scan.classAt(position) == CharacterClass::Number; ++i) {
        position += scan.characterAt(position).bytes;
    }
    return position;
}

/// " ?[^\s\p{L}\p{N}]+[\r\n]*"
std::size_t symbolsEnd(const PreTokenizerScanner& scan, std::size_t position)
{
    const std::size_t body = position + (scan.byteAt(position) == ' ' ? 1 : 0);
    const std::size_t end = scan.runEnd(body, isSymbol);
    return end == body ? position : scan.lineBreaksEnd(end);
}

/// The pattern of Llama 3 (numbers of up to three digits) and Qwen 2 (single digits):
/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
/// \s*[\r\n]+|\s+(?!\S)|\s+
std::size_t llama3WordEnd(const PreTokenizerScanner& scan, std::size_t position, int digits)
{
    std::size_t end = contractionEnd(scan, position, LetterCase::Ignored);
    if (end == position) {
        end = prefixedLettersEnd(scan, position);
    }
    if (end == position) {
        end = numbersEnd(scan, position, digits);
    }
    if (end == position) {
        end = symbolsEnd(scan, position);
    }
    if (end == position) {
        end = spacesToLineBreakEnd(scan, position);
    }
    return end == position ? spacesEnd(scan, position) : end;
}

/// Cuts every piece of a split further. `matchEnd(scan, position)` returns the end of a match at a
/// position, or the position; what lies between two matches becomes a piece of its own.
template <typename MatchEnd>
std::vector<std::uint32_t> refine(const std::vector<std::uint32_t>& ends, std::string_view text,
                                  MatchEnd matchEnd)
{
    std::vector<std::uint32_t> refined;
    std::size_t begin = 0;
    for (const std::uint32_t pieceEnd : ends) {
        const PreTokenizerScanner scan(text.substr(begin, pieceEnd - begin));
        std::size_t gap = 0;
        for (std::size_t position = 0; position < scan.size();) {
            const std::size_t end = matchEnd(scan, position);
            if (end == position) {
                position += scan.characterAt(position).bytes;
                continue;
            }
            if (position > gap) {
                refined.push_back(static_cast<std::uint32_t>(begin + position));
            }
            refined.push_back(static_cast<std::uint32_t>(begin + end));
            position = end;
            gap = end;
        }
        if (gap < scan.size()) {
            refined.push_back(pieceEnd);
        }
        begin = pieceEnd;
    }
    return refined;
}

std::vector<std::uint32_t> wholeText(std::string_view text)
{
    return text.empty() ? std::vector<std::uint32_t>()
                        : std::vector<std::uint32_t>{static_cast<std::uint32_t>(text.size())};
}

std::size_t singleNumberEnd(const PreTokenizerScanner& scan, std::size_t position)
{
    return numbersEnd(scan, position, 1);
}

/// \s?C+ for the class C.
std::size_t spacedRunEnd(const PreTokenizerScanner& scan, std::size_t position,
                         CharacterClass wanted)
{
    std::size_t body = position;
    if (scan.classAt(position) == CharacterClass::Space) {
        body += scan.characterAt(position).bytes;
    }
    const std::size_t end = scan.runEnd(body, wanted);
    return end == body ? position : end;
}

/// The ranges U+0800 to U+9FA5 and U+AC00 to U+D7FF, in which the authors wanted CJK text.
std::size_t asianRunEnd(const PreTokenizerScanner& scan, std::size_t position)
{
    while (position < scan.size()) {
        const DecodedCharacter character = scan.characterAt(position);
        const char32_t value = character.value;
        if (!(value >= 0x800 && value <= 0x9fa5) && !(value >= 0xac00 && value <= 0xd7ff)) {
            break;
        }
        position += character.bytes;
    }
    return position;
}

/// The sequence of cuts in the tokenizer of DeepSeek Coder:
/// [\r\n], \s?\p{L}+, \s?\p{P}+, [Asian]+, \p{N}
std::vector<std::uint32_t> splitDeepSeekCoder(std::string_view text)
{
    auto ends = refine(wholeText(text), text, [](const auto& scan, std::size_t position) {
        return position + (scan.atLineBreak(position) ? 1 : 0);
    });
    for (const CharacterClass wanted : {CharacterClass::Letter, CharacterClass::Punctuation}) {
        ends = refine(ends, text, [wanted](const auto& scan, std::size_t position) {
            return spacedRunEnd(scan, position, wanted);
        });
    }
    return refine(refine(ends, text, asianRunEnd), text, singleNumberEnd);
}

struct NamedTraits
{
    std::string_view name;
    PreTokenizerTraits traits;
};

constexpr PreTokenizerTraits kPlainGpt2{PreTokenizer::Gpt2, false, false};
constexpr PreTokenizerTraits kWholeWordLlama3{PreTokenizer::Llama3, true, true};
constexpr PreTokenizerTraits kPlainLlama3{PreTokenizer::Llama3, false, false};
constexpr PreTokenizerTraits kPlainQwen2{PreTokenizer::Qwen2, false, false};
constexpr PreTokenizerTraits kPlainSmolLm{PreTokenizer::SmolLm, false, false};

constexpr std::array kNames = {
    NamedTraits{"gpt-2", kPlainGpt2},
    NamedTraits{"phi-2", kPlainGpt2},
    NamedTraits{"exaone4", kPlainGpt2},
    NamedTraits{"granite-docling", kPlainGpt2},
    NamedTraits{"olmo", kPlainGpt2},
    NamedTraits{"llama-bpe", kWholeWordLlama3},
    NamedTraits{"llama3", kWholeWordLlama3},
    NamedTraits{"llama-v3", kWholeWordLlama3},
    NamedTraits{"falcon3", kWholeWordLlama3},
    NamedTraits{"lfm2", kWholeWordLlama3},
    NamedTraits{"dbrx", kPlainLlama3},
    NamedTraits{"smaug-bpe", kPlainLlama3},
    NamedTraits{"qwen2", kPlainQwen2},
    NamedTraits{"deepseek-r1-qwen", kPlainQwen2},
    NamedTraits{"megrez", kPlainQwen2},
    NamedTraits{"stablelm2", kPlainQwen2},
    NamedTraits{"deepseek-coder", {PreTokenizer::DeepSeekCoder, false, false}},
    NamedTraits{"smollm", kPlainSmolLm},
    NamedTraits{"starcoder", kPlainSmolLm},
    NamedTraits{"refact", kPlainSmolLm},
    NamedTraits{"command-r", kPlainSmolLm},
};

} // namespace

std::optional<PreTokenizerTraits> findPreTokenizer(std::string_view name)
{
    const auto* const found = std::ranges::find(kNames, name, &NamedTraits::name);
    return found == kNames.end() ? std::nullopt : std::optional(found->traits);
}

std::vector<std::uint32_t> splitWords(PreTokenizer rules, std::string_view text)
{
    std::vector<std::uint32_t> whole = wholeText(text);
    switch (rules) {
    case PreTokenizer::Gpt2:
        return refine(whole, text, gpt2WordEnd);
    case PreTokenizer::SmolLm:
        return refine(refine(whole, text, singleNumberEnd), text, gpt2WordEnd);
    case PreTokenizer::Llama3:
        return refine(whole, text, [](const auto& scan, std::size_t position) {
            return llama3WordEnd(scan, position, 3);
        });
    case PreTokenizer::Qwen2:
        return refine(whole, text, [](const auto& scan, std::size_t position) {
            return llama3WordEnd(scan, position, 1);
        });
    case PreTokenizer::DeepSeekCoder:
        return splitDeepSeekCoder(text);
    }
    return whole;
}

} // namespace engine
