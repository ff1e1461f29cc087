#include "engine/text/jinja_operations.h"
#include "engine/text/jinja_text.h"

#include <array>

namespace engine::jinja {

namespace {

void appendQuoted(std::string& out, std::string_view text)
{
    const bool usesDouble =
        text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
    const char quote = usesDouble ? '"' : '\'';
    out += quote;
    for (const char c : text) {
        static constexpr std::string_view kHex = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        if (c == quote || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte == 0x7F) {
            out += "\\x";
            out += kHex[byte >> 4U];
            out += kHex[byte & 15U];
        } else {
            out += c;
        }
    }
    out += quote;
}

void appendRepr(Runtime& runtime, std::string& out, const Value& value);

void appendArray(Runtime& runtime, std::string& out, const Array& array)
{
    out += array.isTuple ? '(' : '[';
    for (std::size_t i = 0; i < array.items.size(); ++i) {
        out += i == 0 ? "" : ", ";
        appendRepr(runtime, out, array.items[i]);
    }
    out += array.isTuple && array.items.size() == 1 ? "," : "";
    out += array.isTuple ? ')' : ']';
}

void appendDict(Runtime& runtime, std::string& out, const Dict& dict)
{
    out += dict.isNamespace ? "<Namespace {" : "{";
    bool isFirst = true;
    for (const auto& [key, entry] : dict.entries) {
        out += isFirst ? "" : ", ";
        isFirst = false;
        runtime.charge(key.size());
        appendQuoted(out, key);
        out += ": ";
        appendRepr(runtime, out, entry);
    }
    out += dict.isNamespace ? "}>" : "}";
}

/// Counts each value it comes by, because shared values can be many more on paper than in memory.
void appendRepr(Runtime& runtime, std::string& out, const Value& value)
{
    const Runtime::Level level(runtime);
    runtime.chargeItems(1);
    if (value.is<Text>()) {
        runtime.charge(value.text().size());
        appendQuoted(out, value.text());
    } else if (value.is<Array*>()) {
        appendArray(runtime, out, *value.as<Array*>());
    } else if (value.is<Dict*>()) {
        appendDict(runtime, out, *value.as<Dict*>());
    } else if (value.is<Undefined>()) {
        out += "Undefined";
    } else {
        out += toText(runtime, value);
    }
}

} // namespace

std::string toRepr(Runtime& runtime, const Value& value)
{
    std::string out;
    appendRepr(runtime, out, value);
    return out;
}

std::string toText(Runtime& runtime, const Value& value)
{
    if (value.is<Text>()) {
        runtime.charge(value.text().size());
        return value.text();
    }
    if (value.is<Undefined>()) {
        return {};
    }
    if (value.is<None>()) {
        return "None";
    }
    if (value.is<bool>()) {
        return value.as<bool>() ? "True" : "False";
    }
    if (value.is<std::int64_t>()) {
        return std::to_string(value.as<std::int64_t>());
    }
    if (value.is<double>()) {
        return floatText(value.as<double>());
    }
    if (value.is<const Function*>()) {
        return "<function " + value.as<const Function*>()->name + ">";
    }
    if (value.is<const Loop*>()) {
        return "<loop>";
    }
    return toRepr(runtime, value);
}

} // namespace engine::jinja
