#include "engine/safetensors/json_value.h"

#include "engine/error.h"
#include "engine/text/utf8.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

namespace engine {
namespace {

constexpr int kMaxDepth = 32;

class JsonParser
{
public:
    JsonParser(std::string_view text, const std::string& name)
        : m_text(text)
        , m_name(name)
    {}

    JsonValue parse()
    {
        JsonValue value = readValue(0);
        skipBlanks();
        if (m_position != m_text.size())
            fail("something follows the end of the JSON text");
        return value;
    }

private:
    [[noreturn]] void fail(const std::string& reason) const
    {
        throw Error(ErrorCode::Damaged, m_name + " is damaged: " + reason + " at byte " +
                                            std::to_string(m_position) +
                                            ". Download or copy the file again.");
    }

    bool atEnd() const { return m_position == m_text.size(); }
    char peek() const { return atEnd() ? '\0' : m_text[m_position]; }

    void skipBlanks()
    {
        while (!atEnd() && std::string_view(" \t\r\n").find(peek()) != std::string_view::npos)
            ++m_position;
    }

    bool accept(char wanted)
    {
        if (atEnd() || peek() != wanted)
            return false;
        ++m_position;
        return true;
    }

    void expect(char wanted)
    {
        if (!accept(wanted))
            fail(std::string("'") + wanted + "' is missing");
    }

    JsonValue readValue(int depth)
    {
        if (depth == kMaxDepth)
            fail("values are nested more than " + std::to_string(kMaxDepth) + " deep");
        skipBlanks();
        switch (peek()) {
        case '{':
            return {readObject(depth)};
        case '[':
            return {readArray(depth)};
        case '"':
            return {readString()};
        case 't':
            readWord("true");
            return {true};
        case 'f':
            readWord("false");
            return {false};
        case 'n':
            readWord("null");
            return {nullptr};
        default:
            return readNumber();
        }
    }

    void readWord(std::string_view word)
    {
        if (m_text.substr(m_position, word.size()) != word)
            fail("a value is not JSON");
        m_position += word.size();
    }

    JsonValue::Object readObject(int depth)
    {
        JsonValue::Object object;
        std::set<std::string, std::less<>> keys;
        expect('{');
        skipBlanks();
        if (accept('}'))
            return object;
        do {
            skipBlanks();
            std::string key = readString();
            if (!keys.insert(key).second)
                fail("the key " + jsonString(key) + " stands twice in one object");
            skipBlanks();
            expect(':');
            object.push_back({std::move(key), readValue(depth + 1)});
            skipBlanks();
        } while (accept(','));
        expect('}');
        return object;
    }

    JsonValue::Array readArray(int depth)
    {
        JsonValue::Array array;
        expect('[');
        skipBlanks();
        if (accept(']'))
            return array;
        do {
            array.push_back(readValue(depth + 1));
            skipBlanks();
        } while (accept(','));
        expect(']');
        return array;
    }

    std::string readString()
    {
        expect('"');
        std::string text;
        while (!accept('"')) {
            if (atEnd())
                fail("a string has no end");
            if (static_cast<unsigned char>(peek()) < 0x20)
                fail("a string holds a control character");
            if (accept('\\')) {
                readEscape(text);
                continue;
            }
            const DecodedCharacter character = decodeUtf8(m_text, m_position);
            if (!character.valid)
                fail("a string is not UTF-8");
            text.append(m_text.substr(m_position, character.bytes));
            m_position += character.bytes;
        }
        return text;
    }

    void readEscape(std::string& text)
    {
        constexpr std::string_view kLetters = "\"\\/bfnrt";
        constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        if (accept('u')) {
            appendUtf8(text, readEscapedCharacter());
            return;
        }
        const std::size_t index = atEnd() ? std::string_view::npos : kLetters.find(peek());
        if (index == std::string_view::npos)
            fail("a string has an unknown escape");
        text += kMeanings[index];
        ++m_position;
    }

    /// After "\u": four hex digits, and the second half of a pair where the first needs one.
    char32_t readEscapedCharacter()
    {
        const std::uint32_t first = readHex();
        if (first < 0xd800 || first > 0xdfff)
            return static_cast<char32_t>(first);
        if (first > 0xdbff || !accept('\\') || !accept('u'))
            fail("a string has half of a surrogate pair");
        const std::uint32_t second = readHex();
        if (second < 0xdc00 || second > 0xdfff)
            fail("a string has half of a surrogate pair");
        return static_cast<char32_t>(0x10000 + ((first - 0xd800) << 10U) + (second - 0xdc00));
    }

    std::uint32_t readHex()
    {
        std::uint32_t number = 0;
        const std::string_view digits = m_text.substr(m_position, 4);
        const auto result =
            std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
        if (digits.size() != 4 || result.ptr != digits.data() + 4)
            fail("a string has an escape without four hex digits");
        m_position += 4;
        return number;
    }

    std::size_t skipDigits()
    {
        const std::size_t begin = m_position;
        while (peek() >= '0' && peek() <= '9')
            ++m_position;
        return m_position - begin;
    }

    JsonValue readNumber()
    {
        const std::size_t begin = m_position;
        const bool negative = accept('-');
        const bool zero = peek() == '0';
        const std::size_t digits = skipDigits();
        if (digits == 0 || (zero && digits > 1))
            fail("a value is not JSON");
        bool whole = !negative;
        if (accept('.')) {
            whole = false;
            if (skipDigits() == 0)
                fail("a number has no digit behind its point");
        }
        if (accept('e') || accept('E')) {
            whole = false;
            if (!accept('+'))
                accept('-');
            if (skipDigits() == 0)
                fail("a number has no digit in its exponent");
        }
        return numberOf(m_text.substr(begin, m_position - begin), whole);
    }

    JsonValue numberOf(std::string_view digits, bool whole) const
    {
        const char* const end = digits.data() + digits.size();
        std::uint64_t exact = 0;
        if (whole && std::from_chars(digits.data(), end, exact).ec == std::errc())
            return {exact};
        double number = 0;
        if (std::from_chars(digits.data(), end, number).ec != std::errc() || !std::isfinite(number))
            fail("a number is out of range");
        return {number};
    }

    std::string_view m_text;
    const std::string& m_name;
    std::size_t m_position = 0;
};

} // namespace

const JsonValue* JsonValue::find(std::string_view key) const
{
    if (const Object* members = object()) {
        for (const auto& [name, member] : *members) {
            if (name == key)
                return &member;
        }
    }
    return nullptr;
}

JsonValue parseJson(std::string_view text, const std::string& name)
{
    return JsonParser(text, name).parse();
}

std::string jsonString(std::string_view text)
{
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string out = "\"";
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (character == '"' || character == '\\') {
            out += '\\';
            out += character;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += kHex[byte >> 4U];
            out += kHex[byte & 15U];
        } else {
            out += character;
        }
    }
    return out + "\"";
}

} // namespace engine
