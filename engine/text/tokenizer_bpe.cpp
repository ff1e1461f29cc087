#include "engine/text/tokenizer_bpe.h"

#include "engine/gguf/gguf_file.h"
#include "engine/text/utf8.h"

namespace engine {
namespace {

constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";
constexpr std::string_view kPreTokenizerKey = "tokenizer.ggml.pre";

/// Bytes as GPT-2 writes them in its vocabulary: printable Latin-1 characters stand for themselves,
/// the other bytes follow from U+0100 on.
/// https://github.com/openai/gpt-2/blob/master/src/encoder.py
class ByteAlphabet
{
public:
    ByteAlphabet()
    {
        char32_t next = 0x100;
        for (std::uint32_t byte = 0; byte < m_characters.size(); ++byte) {
            const bool itself = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
            const char32_t character = itself ? byte : next++;
            appendUtf8(m_characters[byte], character);
            m_bytes.emplace(character, static_cast<char>(byte));
        }
    }

    const std::string& character(std::uint8_t byte) const { return m_characters[byte]; }

    std::optional<char> byte(char32_t character) const
    {
        const auto found = m_bytes.find(character);
        return found == m_bytes.end() ? std::nullopt : std::optional(found->second);
    }

private:
    std::array<std::string, 256> m_characters;
    std::unordered_map<char32_t, char> m_bytes;
};

const ByteAlphabet& byteAlphabet()
{
    static const ByteAlphabet alphabet;
    return alphabet;
}

PreTokenizerTraits readTraits(const GgufFile& file)
{
    const auto name = file.findString(kPreTokenizerKey);
    if (!name) {
        throw Error(ErrorCode::Unsupported, file.name() +
                                                " does not say how its tokenizer splits words (" +
                                                std::string(kPreTokenizerKey) +
                                                "). Choose a newer conversion of the model.");
    }
    const auto traits = findPreTokenizer(*name);
    if (!traits) {
        throw Error(ErrorCode::Unsupported,
                    file.name() + " splits words in a way this program does not know (" +
                        std::string(kPreTokenizerKey) + " is \"" + *name +
                        "\"). Choose a model of the Llama, Qwen or Phi family.");
    }
    return *traits;
}

const std::vector<std::string>& readMerges(const GgufFile& file)
{
    const GgufArray* const array = file.findArray(kMergesKey);
    const auto* const merges =
        array == nullptr ? nullptr : std::get_if<std::vector<std::string>>(&array->values);
    if (merges == nullptr) {
        throwDamagedTokenizer(file, std::string(kMergesKey) + " is not a list of texts");
    }
    return *merges;
}

} // namespace

BpeTokenizer::BpeTokenizer(const GgufFile& file)
    : BpeTokenizer(file, readTraits(file))
{}

BpeTokenizer::BpeTokenizer(const GgufFile& file, PreTokenizerTraits traits)
    : VocabularyTokenizer(readVocabulary(file, {.bos = std::nullopt,
                                                .eos = std::nullopt,
                                                .unknown = std::nullopt,
                                                .addBos = traits.addBos}))
    , m_traits(traits)
    , m_merges(readMerges(file).size())
{
    for (std::size_t byte = 0; byte < m_byteIds.size(); ++byte) {
        m_byteIds[byte] = pieceId(byteAlphabet().character(static_cast<std::uint8_t>(byte)));
    }
    addMerges(file, readMerges(file));

    Sha256 own;
    hashText(own, "bpe 1");
    hashNumber(own, static_cast<std::uint64_t>(m_traits.rules));
    hashNumber(own, m_traits.wholeWordsFirst ? 1 : 0);
    for (const std::string& merge : readMerges(file)) {
        hashText(own, merge);
    }
    finishHash(own);
}

std::int32_t BpeTokenizer::pieceId(std::string_view piece)
{
    const auto token = vocabulary().find(piece);
    if (token && !vocabulary().isReserved(*token)) {
        return *token;
    }
    const auto next = static_cast<std::int32_t>(vocabulary().size() + m_extraIds.size());
    return m_extraIds.emplace(piece, next).first->second;
}

void BpeTokenizer::addMerges(const GgufFile& file, const std::vector<std::string>& merges)
{
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
        const std::string_view merge = merges[rank];
        const std::size_t space = merge.find(' ', 1);
        if (space == std::string_view::npos || space + 1 == merge.size()) {
            throwDamagedTokenizer(file, "entry " + std::to_string(rank) + " of " +
                                            std::string(kMergesKey) + " is not a pair");
        }
        const std::string_view left = merge.substr(0, space);
        const std::string_view right = merge.substr(space + 1);
        addJoint(left, right);
        const std::int32_t merged = pieceId(std::string(left) + std::string(right));
        m_merges.add(pieceId(left), pieceId(right), {static_cast<std::uint32_t>(rank), merged});
    }
}

TokenisedText BpeTokenizer::encode(std::string_view text, SpecialTokens special,
                                   bool addSpecial) const
{
    const RepairedText repaired(text);
    TokenisedText out = VocabularyTokenizer::encode(repaired.text(), special, addSpecial);
    for (ByteRange& range : out.ranges) {
        const bool empty = range.begin == range.end;
        range.begin = repaired.originalPosition(range.begin, false);
        range.end = repaired.originalPosition(range.end, !empty);
    }
    return out;
}

void BpeTokenizer::encodeFragments(std::string_view text, const std::vector<Fragment>& fragments,
                                   TokenisedText& out) const
{
    BpeMerger merger(m_merges);
    Word word;
    std::string buffer;
    for (const Fragment& fragment : fragments) {
        if (fragment.id >= 0) {
            append(out, fragment.id, fragment.range);
            continue;
        }
        const std::uint32_t offset = fragment.range.begin;
        const std::string_view plain = text.substr(offset, fragment.range.end - offset);
        std::uint32_t begin = 0;
        for (const std::uint32_t end : splitWords(m_traits.rules, plain)) {
            const ByteRange range{offset + begin, offset + end};
            const auto whole = m_traits.wholeWordsFirst
                                   ? wholeWord(plain.substr(begin, end - begin), buffer)
                                   : std::nullopt;
            if (whole) {
                append(out, *whole, range);
            } else {
                encodeWord(text, range, merger, word, out);
            }
            begin = end;
        }
    }
}

/// Notes the bytes at which the two texts of a merge meet.
void BpeTokenizer::addJoint(std::string_view left, std::string_view right)
{
    char32_t last = 0;
    for (std::size_t position = 0; position < left.size();) {
        const DecodedCharacter character = decodeUtf8(left, position);
        last = character.value;
        position += character.bytes;
    }
    const auto leftByte = byteAlphabet().byte(last);
    const auto rightByte = byteAlphabet().byte(decodeUtf8(right, 0).value);
    if (leftByte && rightByte) { // other texts are never made from bytes
        m_joinable.add(static_cast<std::uint8_t>(*leftByte), static_cast<std::uint8_t>(*rightByte));
    }
}

std::optional<std::int32_t> BpeTokenizer::wholeWord(std::string_view word,
                                                    std::string& buffer) const
{
    if (word.size() > kLongestToken) {
        return std::nullopt;
    }
    buffer.clear();
    for (const char byte : word) {
        buffer += byteAlphabet().character(static_cast<std::uint8_t>(byte));
    }
    const auto token = vocabulary().find(buffer);
    return token && !vocabulary().isReserved(*token) ? token : std::nullopt;
}

void BpeTokenizer::encodeWord(std::string_view text, ByteRange range, BpeMerger& merger, Word& word,
                              TokenisedText& out) const
{
    for (std::uint32_t i = range.begin; i < range.end; ++i) {
        const auto byte = static_cast<std::uint8_t>(text[i]);
        if (!word.empty() && !m_joinable.contains(static_cast<std::uint8_t>(text[i - 1]), byte)) {
            finishPart(text, i, merger, word, out);
        }
        word.push_back({.id = m_byteIds[byte], .begin = i});
    }
    finishPart(text, range.end, merger, word, out);
}

void BpeTokenizer::finishPart(std::string_view text, std::uint32_t end, BpeMerger& merger,
                              Word& word, TokenisedText& out) const
{
    merger.merge(word);
    const auto count = static_cast<std::int32_t>(vocabulary().size());
    for (std::size_t i = 0; i < word.size(); ++i) {
        const ByteRange own{word[i].begin, i + 1 < word.size() ? word[i + 1].begin : end};
        if (word[i].id < count) {
            append(out, word[i].id, own);
            continue;
        }
        for (std::uint32_t at = own.begin; at < own.end; ++at) {
            const std::int32_t byteId = m_byteIds[static_cast<std::uint8_t>(text[at])];
            if (byteId < count || vocabulary().unknown) {
                append(out, byteId < count ? byteId : *vocabulary().unknown, {at, at + 1});
            }
        }
    }
    word.clear();
}

std::string BpeTokenizer::plainPiece(std::int32_t id) const
{
    const std::string_view text = vocabulary().text(id);
    std::string piece;
    for (std::size_t position = 0; position < text.size();) {
        const DecodedCharacter character = decodeUtf8(text, position);
        if (const auto byte = byteAlphabet().byte(character.value); byte && character.valid) {
            piece += *byte;
        } else {
            piece += text.substr(position, character.bytes);
        }
        position += character.bytes;
    }
    return piece;
}

} // namespace engine
