#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// One character of a UTF-8 text. A byte that belongs to no valid character counts as one of its
/// own.
struct DecodedCharacter
{
    char32_t value = 0; // U+FFFD if not valid
    std::uint32_t bytes = 1;
    bool valid = true;
};

constexpr char32_t kReplacementCharacter = 0xfffd;
constexpr std::string_view kReplacementUtf8 = "\xef\xbf\xbd";

/// The character at `position`, which must be inside the text. Overlong forms and surrogates are
/// invalid (Unicode 15, table 3-7).
DecodedCharacter decodeUtf8(std::string_view text, std::size_t position);

void appendUtf8(std::string& text, char32_t codePoint);

/// A text whose invalid bytes were replaced by U+FFFD, and the way back to the original positions.
class RepairedText
{
public:
    explicit RepairedText(std::string_view original);
    RepairedText(const RepairedText&) = delete; // text() may point into the object
    RepairedText& operator=(const RepairedText&) = delete;

    std::string_view text() const { return m_text; }

    /// The original byte position of a position in `text()`. Within a replacement character it is
    /// that of the invalid byte, or behind it if `roundUp`.
    std::uint32_t originalPosition(std::uint32_t position, bool roundUp) const;

private:
    std::string m_storage; // empty if nothing had to be replaced
    std::string_view m_text;
    std::vector<std::uint32_t> m_replacements; // positions in m_storage, ascending
};

} // namespace engine
