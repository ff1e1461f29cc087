#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace app {

/// One character at the head of a text: `length` is 0 where the bytes are not valid UTF-8.
struct DecodedCharacter
{
    char32_t codePoint = 0;
    std::size_t length = 0; // bytes, 1 to 4
};

/// Strict: no overlong forms, no surrogates, nothing above U+10FFFF (Unicode 15, table 3-7).
/// `text` must not be empty.
DecodedCharacter decodeUtf8(std::string_view text);

/// Offset of the first byte that is not part of valid UTF-8, or npos.
std::size_t findInvalidUtf8(std::string_view text);

/// Appends U+FFFD for values that are not Unicode scalar values.
void appendUtf8(std::string& text, char32_t codePoint);

/// The property White_Space of Unicode.
bool isSpace(char32_t codePoint);

/// Unicode letters, as far as hyphenation needs them: lower case of the Latin, Greek and Cyrillic
/// blocks.
bool isLowerCaseLetter(char32_t codePoint);

/// Words as people count them: runs of characters that are not white space.
std::size_t countWords(std::string_view text);

/// A one-line label or title from outside: invalid bytes and control characters become spaces, runs
/// of white space one space, the ends are trimmed, and it is cut after `maxBytes` at a character.
std::string cleanLine(std::string_view raw, std::size_t maxBytes);

} // namespace app
