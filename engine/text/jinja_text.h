#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace engine::jinja {

/// Strings behave as in Python, that is as sequences of characters. Text is UTF-8; a byte that
/// begins no valid sequence belongs to the character before it, so nothing here can fail.

/// Byte offsets of the characters, and the length at the end.
std::vector<std::size_t> characterOffsets(std::string_view text);
std::size_t characterCount(std::string_view text);

/// Blanks are those of Python's str.strip(); with `characters`, those are taken away instead.
std::string_view trimmedStart(std::string_view text);
std::string_view trimmedEnd(std::string_view text);
std::string_view trimmedStart(std::string_view text, std::string_view characters);
std::string_view trimmedEnd(std::string_view text, std::string_view characters);

/// Case of the Latin-1, Greek and Cyrillic letters; others stay.
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalized(std::string_view text);
/// The first letter of each word in upper case, the others in lower case.
std::string titled(std::string_view text);

/// `limit` below 0 is none.
std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::int64_t limit);
std::vector<std::string_view> splitAt(std::string_view text, std::string_view separator,
                                      std::int64_t limit);
std::vector<std::string_view> splitAtLast(std::string_view text, std::string_view separator,
                                          std::int64_t limit);
std::vector<std::string_view> splitAtBlanks(std::string_view text, std::int64_t limit);
std::vector<std::string_view> splitLines(std::string_view text);

/// Resolves the escapes of a Python string.
std::string unescaped(std::string_view text);
std::string utf8(std::uint32_t codePoint);
/// A float as Python prints it.
std::string floatText(double value);

} // namespace engine::jinja
