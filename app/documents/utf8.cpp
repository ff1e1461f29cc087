#include "app/documents/utf8.h"

namespace app {

namespace {

bool isContinuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

struct Lead
{
    std::size_t length = 0;
    char32_t bits = 0;
    char32_t smallest = 0; // anything below would be an overlong form
};

Lead leadOf(unsigned char byte)
{
    if (byte < 0x80)
        return {1, byte, 0};
    if (byte >= 0xc2 && byte <= 0xdf)
        return {2, static_cast<char32_t>(byte & 0x1f), 0x80};
    if (byte >= 0xe0 && byte <= 0xef)
        return {3, static_cast<char32_t>(byte & 0x0f), 0x800};
    if (byte >= 0xf0 && byte <= 0xf4)
        return {4, static_cast<char32_t>(byte & 0x07), 0x10000};
    return {};
}

} // namespace

DecodedCharacter decodeUtf8(std::string_view text)
{
    const Lead lead = leadOf(static_cast<unsigned char>(text.front()));
    if (lead.length == 0 || lead.length > text.size())
        return {};
    char32_t codePoint = lead.bits;
    for (std::size_t i = 1; i < lead.length; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (!isContinuation(byte))
            return {};
        codePoint = codePoint << 6 | (byte & 0x3fU);
    }
    const bool surrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
    if (codePoint < lead.smallest || codePoint > 0x10ffff || surrogate)
        return {};
    return {codePoint, lead.length};
}

std::size_t findInvalidUtf8(std::string_view text)
{
    std::size_t at = 0;
    while (at < text.size()) {
        if (static_cast<unsigned char>(text[at]) < 0x80) {
            ++at;
            continue;
        }
        const DecodedCharacter character = decodeUtf8(text.substr(at));
        if (character.length == 0)
            return at;
        at += character.length;
    }
    return std::string_view::npos;
}

void appendUtf8(std::string& text, char32_t codePoint)
{
    if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff))
        codePoint = 0xfffd;
    const auto tail = [&](int shift) {
        text.push_back(static_cast<char>(0x80 | (codePoint >> shift & 0x3f)));
    };
    if (codePoint < 0x80) {
        text.push_back(static_cast<char>(codePoint));
    } else if (codePoint < 0x800) {
        text.push_back(static_cast<char>(0xc0 | codePoint >> 6));
        tail(0);
    } else if (codePoint < 0x10000) {
        text.push_back(static_cast<char>(0xe0 | codePoint >> 12));
        tail(6);
        tail(0);
    } else {
        text.push_back(static_cast<char>(0xf0 | codePoint >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
}

bool isSpace(char32_t codePoint)
{
    if (codePoint < 0x80)
        return codePoint == ' ' || (codePoint >= 0x09 && codePoint <= 0x0d);
    return codePoint == 0x85 || codePoint == 0xa0 || codePoint == 0x1680 ||
           (codePoint >= 0x2000 && codePoint <= 0x200a) || codePoint == 0x2028 ||
           codePoint == 0x2029 || codePoint == 0x202f || codePoint == 0x205f || codePoint == 0x3000;
}

bool isLowerCaseLetter(char32_t codePoint)
{
    if (codePoint < 0x80)
        return codePoint >= 'a' && codePoint <= 'z';
    if (codePoint >= 0xdf && codePoint <= 0xff)
        return codePoint != 0xf7;
    if (codePoint >= 0x100 && codePoint <= 0x137) // Latin Extended-A alternates upper, lower
        return codePoint % 2 == 1;
    if (codePoint >= 0x14a && codePoint <= 0x177)
        return codePoint % 2 == 1;
    if (codePoint >= 0x138 && codePoint <= 0x149)
        return codePoint % 2 == 0;
    return (codePoint >= 0x3ac && codePoint <= 0x3ce) || (codePoint >= 0x430 && codePoint <= 0x45f);
}

std::size_t countWords(std::string_view text)
{
    std::size_t words = 0;
    bool inWord = false;
    std::size_t at = 0;
    while (at < text.size()) {
        const DecodedCharacter character = decodeUtf8(text.substr(at));
        const bool space = character.length != 0 && isSpace(character.codePoint);
        if (!space && !inWord)
            ++words;
        inWord = !space;
        at += character.length == 0 ? 1 : character.length;
    }
    return words;
}

std::string cleanLine(std::string_view raw, std::size_t maxBytes)
{
    std::string line;
    bool pendingSpace = false;
    std::size_t at = 0;
    while (at < raw.size()) {
        const DecodedCharacter character = decodeUtf8(raw.substr(at));
        at += character.length == 0 ? 1 : character.length;
        const bool control = character.codePoint < 0x20 ||
                             (character.codePoint >= 0x7f && character.codePoint < 0xa0);
        if (character.length == 0 || control || isSpace(character.codePoint)) {
            pendingSpace = !line.empty();
            continue;
        }
        if (line.size() + character.length + (pendingSpace ? 1 : 0) > maxBytes)
            break;
        if (pendingSpace)
            line.push_back(' ');
        pendingSpace = false;
        appendUtf8(line, character.codePoint);
    }
    return line;
}

} // namespace app
