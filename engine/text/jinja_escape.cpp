#include "engine/text/jinja_text.h"

#include <array>
#include <charconv>

namespace engine::jinja {

namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

struct SimpleEscape
{
    char letter;
    std::string_view text;
};

constexpr auto kSimple = std::to_array<SimpleEscape>({{'n', "\n"},
                                                      {'t', "\t"},
                                                      {'r', "\r"},
                                                      {'\\', "\\"},
                                                      {'\'', "'"},
                                                      {'"', "\""},
                                                      {'a', "\a"},
                                                      {'b', "\b"},
                                                      {'f', "\f"},
                                                      {'v', "\v"},
                                                      {'\n', ""}});

/// Reads exactly `digits` hexadecimal digits; false if there are fewer.
bool readHex(std::string_view text, std::size_t digits, std::uint32_t& code)
{
    if (text.size() < digits) {
        return false;
    }
    const auto result = std::from_chars(text.data(), text.data() + digits, code, 16);
    return result.ec == std::errc() && result.ptr == text.data() + digits;
}

/// Takes one escape, whose backslash is already gone, off the text's start.
std::string takeEscape(std::string_view& text)
{
    const char letter = text[0];
    for (const SimpleEscape& simple : kSimple) {
        if (simple.letter == letter) {
            text.remove_prefix(1);
            return std::string(simple.text);
        }
    }
    const std::size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    std::uint32_t code = 0;
    if (digits > 0 && readHex(text.substr(1), digits, code)) {
        text.remove_prefix(1 + digits);
        const bool isCharacter = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        return utf8(isCharacter ? code : kReplacement);
    }
    if (letter >= '0' && letter <= '7') {
        std::size_t length = 0;
        while (length < 3 && length < text.size() && text[length] >= '0' && text[length] <= '7') {
            code = code * 8 + static_cast<std::uint32_t>(text[length] - '0');
            ++length;
        }
        text.remove_prefix(length);
        return utf8(code);
    }
    return "\\"; // an escape that Python does not know stays as it is
}

} // namespace

std::string unescaped(std::string_view text)
{
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const char c = text[0];
        text.remove_prefix(1);
        if (c == '\\' && !text.empty()) {
            result += takeEscape(text);
        } else {
            result += c;
        }
    }
    return result;
}

} // namespace engine::jinja
