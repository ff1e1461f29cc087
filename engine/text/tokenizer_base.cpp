#include "engine/text/tokenizer_base.h"

#include <limits>

namespace engine {
namespace {

bool isAsciiSpace(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

std::uint64_t numberOf(const std::optional<std::int32_t>& id)
{
    return id ? static_cast<std::uint64_t>(*id) : std::numeric_limits<std::uint64_t>::max();
}

} // namespace

void hashNumber(Sha256& hash, std::uint64_t number)
{
    std::array<std::byte, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(number >> (8 * i) & 0xffU);
    }
    hash.update(bytes);
}

void hashText(Sha256& hash, std::string_view text)
{
    hashNumber(hash, text.size());
    hash.update(std::as_bytes(std::span(text)));
}

VocabularyTokenizer::VocabularyTokenizer(Vocabulary vocabulary)
    : m_vocabulary(std::move(vocabulary))
{
    for (std::size_t i = 0; i < m_vocabulary.size(); ++i) {
        const auto id = static_cast<std::int32_t>(i);
        if (m_vocabulary.kind(id) == TokenKind::UserDefined) {
            m_userDefined.add(m_vocabulary.text(id), id);
            m_allSpecial.add(m_vocabulary.text(id), id);
        } else if (m_vocabulary.isReserved(id)) {
            m_allSpecial.add(m_vocabulary.text(id), id);
        }
    }
}

TokenisedText VocabularyTokenizer::encode(std::string_view text, SpecialTokens special,
                                          bool addSpecial) const
{
    const std::vector<Fragment> fragments = cutSpecialTokens(text, special);
    TokenisedText out;
    if (addSpecial && m_vocabulary.addBos && m_vocabulary.bos) {
        append(out, *m_vocabulary.bos, {0, 0});
    }
    encodeFragments(text, fragments, out);
    if (addSpecial && m_vocabulary.addEos && m_vocabulary.eos) {
        const auto end = static_cast<std::uint32_t>(text.size());
        append(out, *m_vocabulary.eos, {end, end});
    }
    return out;
}

std::vector<VocabularyTokenizer::Fragment>
VocabularyTokenizer::cutSpecialTokens(std::string_view text, SpecialTokens special) const
{
    if (text.size() > std::numeric_limits<std::uint32_t>::max()) {
        throw Error(ErrorCode::TooLarge,
                    "The text has more than 4 GiB. Split the document into parts.");
    }
    const SpecialTokenFinder& finder =
        special == SpecialTokens::Parse ? m_allSpecial : m_userDefined;
    std::vector<Fragment> fragments;
    const auto rangeOf = [](std::size_t begin, std::size_t end) {
        return ByteRange{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
    };
    for (std::size_t position = 0; position < text.size();) {
        const SpecialTokenFinder::Match match = finder.findFrom(text, position);
        if (match.begin > position) {
            fragments.push_back({rangeOf(position, match.begin), -1});
        }
        position = match.end;
        if (match.id < 0) {
            continue;
        }
        fragments.push_back({rangeOf(match.begin, match.end), match.id});
        const std::string& name = m_vocabulary.text(match.id);
        const bool keepsSpaces = m_vocabulary.kind(match.id) != TokenKind::Control ||
                                 name == "<unk>" || name == "<s>" || name == "<|endoftext|>";
        while (m_vocabulary.controlEatsSpaces && !keepsSpaces && position < text.size() &&
               isAsciiSpace(text[position])) {
            ++position;
        }
    }
    return fragments;
}

std::string VocabularyTokenizer::piece(std::int32_t id, bool showSpecial) const
{
    checkId(id);
    if (m_vocabulary.isReserved(id)) {
        return showSpecial ? m_vocabulary.text(id) : std::string();
    }
    return m_vocabulary.kind(id) == TokenKind::UserDefined ? m_vocabulary.text(id) : plainPiece(id);
}

bool VocabularyTokenizer::isControl(std::int32_t id) const
{
    checkId(id);
    return m_vocabulary.kind(id) == TokenKind::Control;
}

bool VocabularyTokenizer::isCutOut(std::int32_t id) const
{
    return isControl(id) || m_vocabulary.kind(id) == TokenKind::UserDefined;
}

void VocabularyTokenizer::checkId(std::int32_t id) const
{
    if (id < 0 || static_cast<std::size_t>(id) >= m_vocabulary.size()) {
        throw Error(ErrorCode::BadInput,
                    "The model has no token with the number " + std::to_string(id) + ".");
    }
}

void VocabularyTokenizer::finishHash(Sha256 own)
{
    hashNumber(own, m_vocabulary.size());
    for (std::size_t i = 0; i < m_vocabulary.size(); ++i) {
        hashText(own, m_vocabulary.texts[i]);
        hashNumber(own, static_cast<std::uint64_t>(m_vocabulary.kinds[i]));
    }
    hashNumber(own, numberOf(m_vocabulary.bos));
    hashNumber(own, numberOf(m_vocabulary.eos));
    hashNumber(own, numberOf(m_vocabulary.unknown));
    hashNumber(own, m_vocabulary.addBos ? 1 : 0);
    hashNumber(own, m_vocabulary.addEos ? 1 : 0);
    hashNumber(own, m_vocabulary.controlEatsSpaces ? 1 : 0);
    m_hash = own.hexDigest();
}

void VocabularyTokenizer::append(TokenisedText& out, std::int32_t id, ByteRange range)
{
    out.ids.push_back(id);
    out.ranges.push_back(range);
}

} // namespace engine
