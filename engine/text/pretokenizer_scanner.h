#pragma once

#include "engine/text/unicode_classes.h"
#include "engine/text/utf8.h"

#include <string_view>

namespace engine {

/// Matches the building blocks of pre-tokenizer patterns at positions of one piece of text.
/// Every `...End` function returns the end of the match, or `position` itself if there is none.
class PreTokenizerScanner
{
public:
    explicit PreTokenizerScanner(std::string_view piece)
        : m_piece(piece)
    {}

    std::size_t size() const { return m_piece.size(); }
    char byteAt(std::size_t position) const
    {
        return position < m_piece.size() ? m_piece[position] : '\0';
    }
    DecodedCharacter characterAt(std::size_t position) const
    {
        return decodeUtf8(m_piece, position);
    }
    /// Other behind the end.
    CharacterClass classAt(std::size_t position) const
    {
        return position < m_piece.size() ? characterClass(characterAt(position).value)
                                         : CharacterClass::Other;
    }
    bool atLineBreak(std::size_t position) const
    {
        return position < m_piece.size() &&
               (m_piece[position] == '\r' || m_piece[position] == '\n');
    }

    /// The end of the run of characters for which `belongs(class)` holds.
    template <typename Belongs>
    std::size_t runEnd(std::size_t position, Belongs belongs) const
    {
        while (position < m_piece.size()) {
            const DecodedCharacter character = characterAt(position);
            if (!belongs(characterClass(character.value))) {
                break;
            }
            position += character.bytes;
        }
        return position;
    }
    std::size_t runEnd(std::size_t position, CharacterClass wanted) const
    {
        return runEnd(position, [wanted](CharacterClass found) { return found == wanted; });
    }
    std::size_t lineBreaksEnd(std::size_t position) const
    {
        while (atLineBreak(position)) {
            ++position;
        }
        return position;
    }

private:
    std::string_view m_piece;
};

} // namespace engine
