#include "engine/text/jinja_json.h"

#include "engine/text/jinja_operations.h"
#include "engine/text/jinja_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>

namespace engine::jinja {

namespace {

void appendUnicodeEscape(std::string& out, std::uint32_t unit)
{
    std::array<char, 8> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "\\u%04x", unit & 0xFFFFU);
    out += buffer.data();
}

std::uint32_t decode(std::string_view character)
{
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() < 2 || character.size() > 4) {
        return first < 0x80 ? first : 0xFFFD;
    }
    std::uint32_t code = first & (0xFFU >> (character.size() + 1));
    for (const char c : character.substr(1)) {
        code = code << 6U | (static_cast<unsigned char>(c) & 0x3FU);
    }
    return code;
}

void appendCharacter(std::string& out, std::string_view character, bool asciiOnly)
{
    static constexpr auto kShort =
        std::to_array<std::pair<char, std::string_view>>({{'"', "\\\""},
                                                          {'\\', "\\\\"},
                                                          {'\n', "\\n"},
                                                          {'\r', "\\r"},
                                                          {'\t', "\\t"},
                                                          {'\b', "\\b"},
                                                          {'\f', "\\f"}});
    for (const auto& [letter, escape] : kShort) {
        if (character[0] == letter) {
            out += escape;
            return;
        }
    }
    const auto first = static_cast<unsigned char>(character[0]);
    if (first < 0x20) {
        appendUnicodeEscape(out, first);
    } else if (first < 0x80 || !asciiOnly) {
        out += character;
    } else {
        const std::uint32_t code = decode(character);
        if (code >= 0x10000) {
            appendUnicodeEscape(out, 0xD800U + ((code - 0x10000U) >> 10U));
            appendUnicodeEscape(out, 0xDC00U + (code & 0x3FFU));
        } else {
            appendUnicodeEscape(out, code);
        }
    }
}

class Writer
{
public:
    Writer(Runtime& runtime, const JsonStyle& style)
        : m_runtime(runtime)
        , m_style(style)
    {}

    std::string take() { return std::move(m_out); }

    void write(const Value& value, std::size_t depth)
    {
        const Runtime::Level level(m_runtime);
        m_runtime.chargeItems(1);
        if (value.is<Text>()) {
            writeText(value.text());
        } else if (value.is<Array*>()) {
            const auto& items = value.as<Array*>()->items;
            writeAll(items, '[', ']', depth, [&](const Value& item) { write(item, depth + 1); });
        } else if (value.is<Dict*>()) {
            writeDict(*value.as<Dict*>(), depth);
        } else if (value.is<None>()) {
            m_out += "null";
        } else if (value.is<bool>()) {
            m_out += value.as<bool>() ? "true" : "false";
        } else if (value.is<double>()) {
            const double number = value.as<double>();
            m_out += std::isnan(number)   ? "NaN"
                     : std::isinf(number) ? (number < 0 ? "-Infinity" : "Infinity")
                                          : floatText(number);
        } else if (value.is<std::int64_t>()) {
            m_out += std::to_string(value.as<std::int64_t>());
        } else {
            m_runtime.fail(std::string(typeName(value)) + " has no form in JSON");
        }
    }

private:
    void writeText(const std::string& text)
    {
        m_runtime.charge(text.size());
        m_out += '"';
        std::size_t start = 0;
        while (start < text.size()) {
            std::size_t end = start + 1;
            while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
                ++end;
            }
            appendCharacter(m_out, std::string_view(text).substr(start, end - start),
                            m_style.asciiOnly);
            start = end;
        }
        m_out += '"';
    }

    template <typename Items, typename WriteItem>
    void writeAll(const Items& items, char open, char close, std::size_t depth, WriteItem writeItem)
    {
        m_out += open;
        bool isFirst = true;
        for (const auto& item : items) {
            m_out += isFirst ? "" : m_style.itemSeparator;
            isFirst = false;
            breakLine(depth + 1);
            writeItem(item);
        }
        if (!isFirst) {
            breakLine(depth);
        }
        m_out += close;
    }

    void writeDict(const Dict& dict, std::size_t depth)
    {
        auto entries = dict.entries;
        m_runtime.chargeItems(entries.size());
        if (m_style.sortKeys) {
            std::sort(entries.begin(), entries.end(),
                      [](const auto& a, const auto& b) { return a.first < b.first; });
        }
        writeAll(entries, '{', '}', depth, [&](const auto& entry) {
            writeText(entry.first);
            m_out += m_style.keySeparator;
            write(entry.second, depth + 1);
        });
    }

    void breakLine(std::size_t depth)
    {
        if (!m_style.indent) {
            return;
        }
        m_runtime.charge(depth * m_style.indent->size());
        m_out += '\n';
        for (std::size_t i = 0; i < depth; ++i) {
            m_out += *m_style.indent;
        }
    }

    Runtime& m_runtime;
    const JsonStyle& m_style;
    std::string m_out;
};

class Reader
{
public:
    Reader(Runtime& runtime, std::string_view text)
        : m_runtime(runtime)
        , m_rest(text)
    {}

    Value readAll()
    {
        Value value = read();
        skipBlanks();
        if (!m_rest.empty()) {
            fail();
        }
        return value;
    }

private:
    [[noreturn]] void fail() { m_runtime.fail("a string is not valid JSON"); }

    void skipBlanks()
    {
        const std::size_t at = m_rest.find_first_not_of(" \t\r\n");
        m_rest.remove_prefix(std::min(at, m_rest.size()));
    }

    bool skip(std::string_view text)
    {
        const bool isThere = m_rest.starts_with(text);
        m_rest.remove_prefix(isThere ? text.size() : 0);
        return isThere;
    }

    Value read()
    {
        const Runtime::Level level(m_runtime);
        skipBlanks();
        if (skip("[")) {
            return readArray();
        }
        if (skip("{")) {
            return readDict();
        }
        if (skip("\"")) {
            return m_runtime.text(readText());
        }
        if (skip("true")) {
            return {true};
        }
        if (skip("false")) {
            return {false};
        }
        if (skip("null")) {
            return {None{}};
        }
        return readNumber();
    }

    Value readArray()
    {
        std::vector<Value> items;
        skipBlanks();
        if (!skip("]")) {
            do {
                items.push_back(read());
                skipBlanks();
            } while (skip(","));
            if (!skip("]")) {
                fail();
            }
        }
        return m_runtime.array(std::move(items));
    }

    Value readDict()
    {
        Value value = m_runtime.dict();
        Dict& dict = *value.as<Dict*>();
        skipBlanks();
        if (skip("}")) {
            return value;
        }
        do {
            skipBlanks();
            if (!skip("\"")) {
                fail();
            }
            const std::string key = readText();
            skipBlanks();
            if (!skip(":")) {
                fail();
            }
            m_runtime.chargeItems(2);
            m_runtime.charge(dict.entries.size());
            dict.set(key, read());
            skipBlanks();
        } while (skip(","));
        if (!skip("}")) {
            fail();
        }
        return value;
    }

    std::string readText()
    {
        std::string out;
        while (true) {
            const std::size_t at = m_rest.find_first_of("\"\\");
            if (at == std::string_view::npos) {
                fail();
            }
            out += m_rest.substr(0, at);
            const bool isEnd = m_rest[at] == '"';
            m_rest.remove_prefix(at + 1);
            if (isEnd) {
                return out;
            }
            out += readEscape();
        }
    }

    std::uint32_t readUnit()
    {
        std::uint32_t unit = 0;
        const std::string_view digits = m_rest.substr(0, 4);
        const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
        if (digits.size() < 4 || result.ptr != digits.data() + 4) {
            fail();
        }
        m_rest.remove_prefix(4);
        return unit;
    }

    std::string readEscape()
    {
        static constexpr std::string_view kLetters = "\"\\/bfnrt";
        static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        const std::size_t at = m_rest.empty() ? std::string_view::npos : kLetters.find(m_rest[0]);
        if (at != std::string_view::npos) {
            m_rest.remove_prefix(1);
            return {kMeanings[at]};
        }
        if (!skip("u")) {
            fail();
        }
        std::uint32_t code = readUnit();
        if (code >= 0xD800 && code < 0xDC00 && skip("\\u")) {
            const std::uint32_t low = readUnit();
            code = low >= 0xDC00 && low <= 0xDFFF
                       ? 0x10000U + ((code - 0xD800U) << 10U) + (low - 0xDC00U)
                       : 0xFFFDU;
        }
        return utf8(code >= 0xD800 && code <= 0xDFFF ? 0xFFFDU : code);
    }

    Value readNumber()
    {
        const std::size_t length =
            std::min(m_rest.find_first_not_of("+-.0123456789eE"), m_rest.size());
        const std::string_view digits = m_rest.substr(0, length);
        const char* end = digits.data() + digits.size();
        std::int64_t integer = 0;
        double number = 0;
        m_rest.remove_prefix(length);
        if (std::from_chars(digits.data(), end, integer).ptr == end && !digits.empty()) {
            return {integer};
        }
        const auto result = std::from_chars(digits.data(), end, number);
        if (digits.empty() || result.ec != std::errc() || result.ptr != end) {
            fail();
        }
        return {number};
    }

    Runtime& m_runtime;
    std::string_view m_rest;
};

} // namespace

std::string toJson(Runtime& runtime, const Value& value, const JsonStyle& style)
{
    Writer writer(runtime, style);
    writer.write(value, 0);
    return writer.take();
}

Value fromJson(Runtime& runtime, std::string_view text)
{
    runtime.charge(text.size());
    return Reader(runtime, text).readAll();
}

} // namespace engine::jinja
