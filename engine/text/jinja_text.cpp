#include "engine/text/jinja_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace engine::jinja {

namespace {

bool continues(char c)
{
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

std::size_t characterLength(std::string_view text)
{
    std::size_t length = 1;
    while (length < text.size() && continues(text[length])) {
        ++length;
    }
    return length;
}

std::size_t lastCharacterLength(std::string_view text)
{
    std::size_t length = 1;
    while (length < text.size() && continues(text[text.size() - length])) {
        ++length;
    }
    return length;
}

std::uint32_t codePointOf(std::string_view character)
{
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) {
        return first;
    }
    std::uint32_t code = first & (0xFFU >> (character.size() + 1));
    for (const char c : character.substr(1)) {
        code = code << 6U | (static_cast<unsigned char>(c) & 0x3FU);
    }
    return code;
}

bool isBlank(std::string_view character)
{
    const std::uint32_t c = character.size() > 4 ? 0 : codePointOf(character);
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

template <typename Predicate>
std::string_view withoutStart(std::string_view text, Predicate isDropped)
{
    while (!text.empty() && isDropped(text.substr(0, characterLength(text)))) {
        text.remove_prefix(characterLength(text));
    }
    return text;
}

template <typename Predicate>
std::string_view withoutEnd(std::string_view text, Predicate isDropped)
{
    while (!text.empty() && isDropped(text.substr(text.size() - lastCharacterLength(text)))) {
        text.remove_suffix(lastCharacterLength(text));
    }
    return text;
}

auto isOneOf(std::string_view characters)
{
    return
        [characters](std::string_view c) { return characters.find(c) != std::string_view::npos; };
}

std::uint32_t upperOf(std::uint32_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 0xE0 && c <= 0xFE && c != 0xF7) ||
        (c >= 0x3B1 && c <= 0x3C9 && c != 0x3C2) || (c >= 0x430 && c <= 0x44F)) {
        return c - 32;
    }
    return c >= 0x450 && c <= 0x45F ? c - 80 : c;
}

std::uint32_t lowerOf(std::uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) ||
        (c >= 0x391 && c <= 0x3A9 && c != 0x3A2) || (c >= 0x410 && c <= 0x42F)) {
        return c + 32;
    }
    return c >= 0x400 && c <= 0x40F ? c + 80 : c;
}

template <typename Change>
std::string mapped(std::string_view text, Change change)
{
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const std::string_view character = text.substr(0, characterLength(text));
        const bool isWhole = character.size() <= 2 && (character.size() == 2) == (character[0] < 0);
        const std::uint32_t code = isWhole ? codePointOf(character) : 0;
        const std::uint32_t other = isWhole ? change(code) : 0;
        result += other == code ? std::string(character) : utf8(other);
        text.remove_prefix(character.size());
    }
    return result;
}

} // namespace

std::vector<std::size_t> characterOffsets(std::string_view text)
{
    std::vector<std::size_t> offsets;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i == 0 || !continues(text[i])) {
            offsets.push_back(i);
        }
    }
    offsets.push_back(text.size());
    return offsets;
}

std::size_t characterCount(std::string_view text)
{
    std::size_t count = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        count += i == 0 || !continues(text[i]) ? 1 : 0;
    }
    return count;
}

std::string_view trimmedStart(std::string_view text)
{
    return withoutStart(text, isBlank);
}

std::string_view trimmedEnd(std::string_view text)
{
    return withoutEnd(text, isBlank);
}

std::string_view trimmedStart(std::string_view text, std::string_view characters)
{
    return withoutStart(text, isOneOf(characters));
}

std::string_view trimmedEnd(std::string_view text, std::string_view characters)
{
    return withoutEnd(text, isOneOf(characters));
}

std::string upper(std::string_view text)
{
    return mapped(text, upperOf);
}

std::string lower(std::string_view text)
{
    return mapped(text, lowerOf);
}

std::string capitalized(std::string_view text)
{
    if (text.empty()) {
        return {};
    }
    const std::size_t first = characterLength(text);
    return upper(text.substr(0, first)) + lower(text.substr(first));
}

std::string titled(std::string_view text)
{
    bool isInWord = false;
    return mapped(text, [&](std::uint32_t c) {
        const std::uint32_t changed = isInWord ? lowerOf(c) : upperOf(c);
        isInWord = c > 0x20 && c != '-' && c != '(' && c != '[' && c != '{' && c != '<';
        return changed;
    });
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::int64_t limit)
{
    std::string result;
    if (from.empty()) {
        const auto offsets = characterOffsets(text);
        for (std::size_t i = 0; i < offsets.size(); ++i) {
            if (limit < 0 || static_cast<std::int64_t>(i) < limit) {
                result += to;
            }
            if (i + 1 < offsets.size()) {
                result += text.substr(offsets[i], offsets[i + 1] - offsets[i]);
            }
        }
        return result;
    }
    for (std::size_t at = text.find(from); at != std::string_view::npos && limit != 0;
         at = text.find(from)) {
        result += text.substr(0, at);
        result += to;
        text.remove_prefix(at + from.size());
        --limit;
    }
    return result += text;
}

std::vector<std::string_view> splitAt(std::string_view text, std::string_view separator,
                                      std::int64_t limit)
{
    std::vector<std::string_view> parts;
    for (std::size_t at = text.find(separator); at != std::string_view::npos && limit != 0;
         at = text.find(separator)) {
        parts.push_back(text.substr(0, at));
        text.remove_prefix(at + separator.size());
        --limit;
    }
    parts.push_back(text);
    return parts;
}

std::vector<std::string_view> splitAtLast(std::string_view text, std::string_view separator,
                                          std::int64_t limit)
{
    std::vector<std::string_view> parts;
    for (std::size_t at = text.rfind(separator); at != std::string_view::npos && limit != 0;
         at = text.rfind(separator)) {
        parts.push_back(text.substr(at + separator.size()));
        text = text.substr(0, at);
        --limit;
    }
    parts.push_back(text);
    std::reverse(parts.begin(), parts.end());
    return parts;
}

std::vector<std::string_view> splitAtBlanks(std::string_view text, std::int64_t limit)
{
    std::vector<std::string_view> parts;
    text = trimmedStart(text);
    while (!text.empty()) {
        if (limit == 0) {
            parts.push_back(trimmedEnd(text));
            break;
        }
        const std::string_view rest =
            withoutStart(text, [](std::string_view character) { return !isBlank(character); });
        parts.push_back(text.substr(0, text.size() - rest.size()));
        text = trimmedStart(rest);
        --limit;
    }
    return parts;
}

std::vector<std::string_view> splitLines(std::string_view text)
{
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = text.find_first_of("\r\n\v\f\x1c\x1d\x1e");
        lines.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            break;
        }
        text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
    }
    return lines;
}

std::string utf8(std::uint32_t codePoint)
{
    const auto tail = [&](unsigned shift) {
        return static_cast<char>(0x80U | ((codePoint >> shift) & 0x3FU));
    };
    if (codePoint < 0x80) {
        return {static_cast<char>(codePoint)};
    }
    if (codePoint < 0x800) {
        return {static_cast<char>(0xC0U | codePoint >> 6U), tail(0)};
    }
    if (codePoint < 0x10000) {
        return {static_cast<char>(0xE0U | codePoint >> 12U), tail(6), tail(0)};
    }
    return {static_cast<char>(0xF0U | codePoint >> 18U), tail(12), tail(6), tail(0)};
}

std::string floatText(double value)
{
    if (std::isnan(value)) {
        return "nan";
    }
    if (std::isinf(value)) {
        return value < 0 ? "-inf" : "inf";
    }
    const double size = std::fabs(value);
    const bool isPlain = size == 0 || (size >= 1e-4 && size < 1e16);
    std::array<char, 64> buffer{};
    const auto format = isPlain ? std::chars_format::fixed : std::chars_format::scientific;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr;
    std::string text(buffer.data(), end);
    return isPlain && text.find('.') == std::string::npos ? text + ".0" : text;
}

} // namespace engine::jinja
