#include "engine/text/tokenizer_spm.h"

#include "engine/gguf/gguf_file.h"
#include "engine/text/utf8.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace engine {
namespace {

constexpr std::string_view kScoresKey = "tokenizer.ggml.scores";
constexpr char32_t kSpaceMark = 0x2581; // SentencePiece's visible space
constexpr std::string_view kSpaceMarkUtf8 = "\xe2\x96\x81";
constexpr std::int32_t kNoId = -1;

std::vector<double> readScores(const GgufFile& file, std::size_t count)
{
    std::vector<double> scores(count, 0.0);
    const GgufArray* const array = file.findArray(kScoresKey);
    if (array == nullptr) {
        return scores;
    }
    if (const auto* const floats = std::get_if<std::vector<double>>(&array->values)) {
        scores = *floats;
    } else if (const auto* const whole = std::get_if<std::vector<std::int64_t>>(&array->values)) {
        std::ranges::transform(*whole, scores.begin(),
                               [](std::int64_t score) { return static_cast<double>(score); });
    } else {
        throwDamagedTokenizer(file, std::string(kScoresKey) + " is not a list of numbers");
    }
    if (scores.size() != count) {
        throwDamagedTokenizer(file,
                              std::string(kScoresKey) + " does not have one number per token");
    }
    if (std::ranges::any_of(scores, [](double score) { return std::isnan(score); })) {
        throwDamagedTokenizer(file, std::string(kScoresKey) + " has a value that is not a number");
    }
    return scores;
}

/// The best score gets rank 0; equal scores share a rank.
std::vector<std::uint32_t> ranksOf(const std::vector<double>& scores)
{
    std::vector<double> distinct = scores;
    std::ranges::sort(distinct, std::greater());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    std::vector<std::uint32_t> ranks;
    ranks.reserve(scores.size());
    for (const double score : scores) {
        const auto found = std::ranges::lower_bound(distinct, score, std::greater());
        ranks.push_back(static_cast<std::uint32_t>(found - distinct.begin()));
    }
    return ranks;
}

/// "<0x0A>" and nothing but that form.
std::optional<std::uint8_t> parseByteToken(std::string_view text)
{
    if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') {
        return std::nullopt;
    }
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const std::size_t high = kDigits.find(text[3]);
    const std::size_t low = kDigits.find(text[4]);
    if (high == std::string_view::npos || low == std::string_view::npos) {
        return std::nullopt;
    }
    return static_cast<std::uint8_t>(16 * high + low);
}

} // namespace

SpmTokenizer::SpmTokenizer(const GgufFile& file)
    : VocabularyTokenizer(readVocabulary(file, {.bos = 1, .eos = 2, .unknown = 0, .addBos = true}))
    , m_nextId(static_cast<std::int32_t>(vocabulary().size()))
    , m_merges(4 * vocabulary().size())
{
    m_addSpacePrefix = file.findBool("tokenizer.ggml.add_space_prefix").value_or(true);
    const std::vector<double> scores = readScores(file, vocabulary().size());
    readByteTokens(file);
    collectCharacters();
    addMerges(ranksOf(scores));

    Sha256 own;
    hashText(own, "spm 1");
    hashNumber(own, m_addSpacePrefix ? 1 : 0);
    for (const double score : scores) {
        hashNumber(own, std::bit_cast<std::uint64_t>(score));
    }
    finishHash(own);
}

void SpmTokenizer::readByteTokens(const GgufFile& file)
{
    for (std::size_t i = 0; i < vocabulary().size(); ++i) {
        const auto id = static_cast<std::int32_t>(i);
        const auto byte = parseByteToken(vocabulary().text(id));
        if (byte && !vocabulary().isReserved(id)) {
            m_byteTokens[*byte] = id;
        } else if (vocabulary().kind(id) == TokenKind::Byte) {
            throwDamagedTokenizer(file,
                                  "token " + std::to_string(i) +
                                      " is called a byte, but its text is not of the form <0x0A>");
        }
    }
}

bool SpmTokenizer::isMergeable(std::int32_t id) const
{
    return !vocabulary().isReserved(id) && vocabulary().kind(id) != TokenKind::Byte;
}

/// Gives every character that occurs in a token an id: that of its token, or one behind the
/// vocabulary.
void SpmTokenizer::collectCharacters()
{
    m_asciiIds.fill(kNoId);
    for (std::size_t i = 0; i < vocabulary().size(); ++i) {
        const std::string_view text = vocabulary().texts[i];
        if (!isMergeable(static_cast<std::int32_t>(i))) {
            continue;
        }
        char32_t previous = 0;
        for (std::size_t position = 0; position < text.size();) {
            const DecodedCharacter character = decodeUtf8(text, position);
            if (character.valid && characterId(character.value) == kNoId) {
                addCharacter(character.value, text.substr(position, character.bytes));
            }
            if (position > 0) {
                m_joinable.add(previous, character.value);
            }
            previous = character.value;
            position += character.bytes;
        }
    }
}

void SpmTokenizer::addCharacter(char32_t character, std::string_view text)
{
    const auto token = vocabulary().find(text);
    const bool usable = token && isMergeable(*token);
    const std::int32_t id = usable ? *token : m_nextId++;
    if (character < m_asciiIds.size()) {
        m_asciiIds[character] = id;
    } else {
        m_characterIds.emplace(character, id);
    }
}

std::int32_t SpmTokenizer::characterId(char32_t character) const
{
    if (character < m_asciiIds.size()) {
        return m_asciiIds[character];
    }
    const auto found = m_characterIds.find(character);
    return found == m_characterIds.end() ? kNoId : found->second;
}

/// The id of a token or single character; kNoId if no symbol can have this text.
std::int32_t SpmTokenizer::pieceId(std::string_view piece) const
{
    const DecodedCharacter first = decodeUtf8(piece, 0);
    if (first.bytes == piece.size()) {
        return first.valid ? characterId(first.value) : kNoId;
    }
    const auto token = vocabulary().find(piece);
    return token && isMergeable(*token) ? *token : kNoId;
}

/// A token can come from any two symbols whose texts make up its own; its score is the merge's.
void SpmTokenizer::addMerges(const std::vector<std::uint32_t>& ranks)
{
    for (std::size_t i = 0; i < vocabulary().size(); ++i) {
        const std::string_view text = vocabulary().texts[i];
        const auto id = static_cast<std::int32_t>(i);
        if (text.empty() || !isMergeable(id) || vocabulary().find(text) != id) {
            continue;
        }
        for (std::size_t split = decodeUtf8(text, 0).bytes; split < text.size();
             split += decodeUtf8(text, split).bytes) {
            const std::int32_t left = pieceId(text.substr(0, split));
            const std::int32_t right = pieceId(text.substr(split));
            if (left != kNoId && right != kNoId) {
                m_merges.add(left, right, {ranks[i], id});
            }
        }
    }
}

TokenisedText SpmTokenizer::encodeContinued(std::string_view text, SpecialTokens special) const
{
    TokenisedText out;
    encodeBehind(false, text, cutSpecialTokens(text, special), out);
    return out;
}

void SpmTokenizer::encodeFragments(std::string_view text, const std::vector<Fragment>& fragments,
                                   TokenisedText& out) const
{
    encodeBehind(true, text, fragments, out);
}

/// `afterSpecial`: whether a special token, or nothing, stands before the text.
void SpmTokenizer::encodeBehind(bool afterSpecial, std::string_view text,
                                const std::vector<Fragment>& fragments, TokenisedText& out) const
{
    BpeMerger merger(m_merges);
    Word word;
    for (const Fragment& fragment : fragments) {
        if (fragment.id >= 0) {
            append(out, fragment.id, fragment.range);
        } else {
            encodePlain(text, fragment.range, m_addSpacePrefix && afterSpecial, merger, word, out);
        }
        afterSpecial = fragment.id >= 0;
    }
}

void SpmTokenizer::encodePlain(std::string_view text, ByteRange range, bool spaceBefore,
                               BpeMerger& merger, Word& word, TokenisedText& out) const
{
    char32_t previous = kSpaceMark;
    if (spaceBefore) {
        word.push_back({.id = characterId(kSpaceMark), .begin = range.begin});
    }
    const std::string_view upToEnd = text.substr(0, range.end);
    for (std::uint32_t position = range.begin; position < range.end;) {
        const DecodedCharacter character = decodeUtf8(upToEnd, position);
        const char32_t value = character.value == ' ' ? kSpaceMark : character.value;
        if (!word.empty() && !m_joinable.contains(previous, value)) {
            finishWord(text, position, merger, word, out);
        }
        word.push_back({.id = character.valid ? characterId(value) : kNoId, .begin = position});
        previous = value;
        position += character.bytes;
    }
    finishWord(text, range.end, merger, word, out);
}

void SpmTokenizer::finishWord(std::string_view text, std::uint32_t end, BpeMerger& merger,
                              Word& word, TokenisedText& out) const
{
    merger.merge(word);
    const auto count = static_cast<std::int32_t>(vocabulary().size());
    for (std::size_t i = 0; i < word.size(); ++i) {
        const ByteRange range{word[i].begin, i + 1 < word.size() ? word[i + 1].begin : end};
        if (word[i].id >= 0 && word[i].id < count) {
            append(out, word[i].id, range);
        } else {
            appendBytes(text, range, out);
        }
    }
    word.clear();
}

/// A character that is no token: its bytes, or the unknown token once if one of them is no token
/// either.
void SpmTokenizer::appendBytes(std::string_view text, ByteRange range, TokenisedText& out) const
{
    std::string_view bytes = text.substr(range.begin, range.end - range.begin);
    const bool space = bytes.empty() || bytes == " ";
    if (space) {
        bytes = kSpaceMarkUtf8;
    }
    const auto tokenOf = [this](char byte) {
        return m_byteTokens[static_cast<std::uint8_t>(byte)];
    };
    if (!std::ranges::all_of(bytes, [&](char byte) { return tokenOf(byte).has_value(); })) {
        if (vocabulary().unknown) {
            append(out, *vocabulary().unknown, range);
        }
        return;
    }
    for (std::uint32_t i = 0; i < bytes.size(); ++i) {
        const ByteRange own{range.begin + i, range.begin + i + 1};
        append(out, *tokenOf(bytes[i]), space ? range : own);
    }
}

std::string SpmTokenizer::plainPiece(std::int32_t id) const
{
    const std::string_view text = vocabulary().text(id);
    if (const auto byte = parseByteToken(text); byte && m_byteTokens[*byte] == id) {
        return std::string(1, static_cast<char>(*byte));
    }
    std::string piece;
    for (std::size_t position = 0; position < text.size();) {
        if (text.substr(position).starts_with(kSpaceMarkUtf8)) {
            piece += ' ';
            position += kSpaceMarkUtf8.size();
        } else {
            piece += text[position++];
        }
    }
    return piece;
}

} // namespace engine
