#include "engine/text/jinja_calls.h"
#include "engine/text/jinja_json.h"
#include "engine/text/jinja_operations.h"
#include "engine/text/jinja_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace engine::jinja {

namespace {

bool isGiven(const Value* argument)
{
    return argument != nullptr && !argument->is<None>();
}

Value defaulted(const Value& value, const Arguments& arguments)
{
    const Value* otherwise = arguments.find(0, "default_value");
    const Value* alsoFalse = arguments.find(1, "boolean");
    const bool isMissing =
        value.is<Undefined>() || (alsoFalse != nullptr && isTrue(*alsoFalse) && !isTrue(value));
    if (!isMissing) {
        return value;
    }
    return otherwise != nullptr ? *otherwise : Value{std::make_shared<const std::string>()};
}

Value toInteger(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    const Value* otherwise = arguments.find(0, "default");
    Value fallback = otherwise != nullptr ? *otherwise : Value{std::int64_t{0}};
    if (value.isInteger()) {
        return {value.integer()};
    }
    double number = std::numeric_limits<double>::quiet_NaN();
    if (value.is<double>()) {
        number = value.as<double>();
    } else if (value.is<Text>()) {
        const std::string_view text = trimmedEnd(trimmedStart(value.text()));
        std::int64_t integer = 0;
        const char* end = text.data() + text.size();
        const char* begin = text.starts_with('+') ? text.data() + 1 : text.data();
        runtime.charge(text.size());
        if (begin != end && std::from_chars(begin, end, integer).ptr == end) {
            return {integer};
        }
        if (begin == end || std::from_chars(begin, end, number).ptr != end) {
            return fallback;
        }
    }
    if (!(std::fabs(number) < 9e18)) {
        return fallback;
    }
    return {static_cast<std::int64_t>(number)};
}

Value toFloat(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    const Value* otherwise = arguments.find(0, "default");
    Value fallback = otherwise != nullptr ? *otherwise : Value{0.0};
    if (value.isNumber()) {
        return {value.number()};
    }
    if (!value.is<Text>()) {
        return fallback;
    }
    const std::string_view text = trimmedEnd(trimmedStart(value.text()));
    runtime.charge(text.size());
    double number = 0;
    const char* end = text.data() + text.size();
    const bool isNumber = !text.empty() && std::from_chars(text.data(), end, number).ptr == end;
    return isNumber ? Value{number} : fallback;
}

Value rounded(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    if (!value.isNumber()) {
        runtime.fail("only numbers can be rounded");
    }
    const Value* precision = arguments.find(0, "precision");
    const Value* method = arguments.find(1, "method");
    const std::int64_t digits =
        isGiven(precision) ? requireInteger(runtime, *precision, "the precision") : 0;
    const std::string how =
        isGiven(method) ? requireText(runtime, *method, "the method") : "common";
    const double scale = std::pow(10.0, static_cast<double>(digits));
    const double scaled = value.number() * scale;
    const double whole = how == "ceil"    ? std::ceil(scaled)
                         : how == "floor" ? std::floor(scaled)
                                          : std::nearbyint(scaled);
    const double result = whole / scale;
    return value.isInteger() && std::fabs(result) < 9e15 ? Value{static_cast<std::int64_t>(result)}
                                                         : Value{result};
}

Value json(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    JsonStyle style;
    if (const Value* ascii = arguments.find(0, "ensure_ascii")) {
        style.asciiOnly = isTrue(*ascii);
    }
    if (const Value* indent = arguments.find(1, "indent"); isGiven(indent)) {
        const std::int64_t width =
            indent->is<Text>() ? 0 : requireInteger(runtime, *indent, "the indent");
        style.indent =
            indent->is<Text>()
                ? indent->text()
                : std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(width, 0, 64)),
                              ' ');
        style.itemSeparator.assign(1, ',');
    }
    if (const Value* separators = arguments.find(2, "separators"); isGiven(separators)) {
        style.itemSeparator =
            requireText(runtime, itemOf(runtime, *separators, {std::int64_t{0}}), "a separator");
        style.keySeparator =
            requireText(runtime, itemOf(runtime, *separators, {std::int64_t{1}}), "a separator");
    }
    if (const Value* sorts = arguments.find(3, "sort_keys")) {
        style.sortKeys = isTrue(*sorts);
    }
    return runtime.text(toJson(runtime, value, style));
}

Value indented(Runtime& runtime, const std::string& text, const Arguments& arguments)
{
    const Value* width = arguments.find(0, "width");
    const Value* first = arguments.find(1, "first");
    const Value* blank = arguments.find(2, "blank");
    std::string margin(4, ' ');
    if (isGiven(width)) {
        const bool isText = width->is<Text>();
        const std::int64_t columns = isText ? 0 : requireInteger(runtime, *width, "the width");
        margin =
            isText ? width->text()
                   : std::string(
                         static_cast<std::size_t>(std::clamp<std::int64_t>(columns, 0, 256)), ' ');
    }
    const bool indentsFirst = first != nullptr && isTrue(*first);
    const bool indentsBlank = blank != nullptr && isTrue(*blank);
    std::string result;
    bool isFirst = true;
    for (const std::string_view line : splitAt(text, "\n", -1)) {
        runtime.charge(line.size() + margin.size());
        result += isFirst ? "" : "\n";
        const bool isIndented = isFirst ? indentsFirst : indentsBlank || !line.empty();
        result += isIndented ? margin : "";
        result += line;
        isFirst = false;
    }
    return runtime.text(std::move(result));
}

std::string escaped(std::string_view text)
{
    std::string result;
    for (const char c : text) {
        switch (c) {
        case '&':
            result += "&amp;";
            break;
        case '<':
            result += "&lt;";
            break;
        case '>':
            result += "&gt;";
            break;
        case '"':
            result += "&#34;";
            break;
        case '\'':
            result += "&#39;";
            break;
        default:
            result += c;
        }
    }
    return result;
}

Value trimmed(Runtime& runtime, const std::string& text, const Arguments& arguments)
{
    const Value* characters = arguments.find(0, "chars");
    if (!isGiven(characters)) {
        return runtime.text(std::string(trimmedEnd(trimmedStart(text))));
    }
    const std::string& set = requireText(runtime, *characters, "what is trimmed");
    runtime.charge(set.size());
    return runtime.text(std::string(trimmedEnd(trimmedStart(text, set), set)));
}

Value replacement(Runtime& runtime, const std::string& text, const Arguments& arguments)
{
    const Value* from = arguments.find(0, "old");
    const Value* to = arguments.find(1, "new");
    const Value* count = arguments.find(2, "count");
    if (from == nullptr || to == nullptr) {
        runtime.fail("\"replace\" needs an old and a new text");
    }
    const Arguments all{{*from, *to, isGiven(count) ? *count : Value{std::int64_t{-1}}}, {}};
    return callMethod(runtime, runtime.text(text), "replace", all);
}

/// Filters whose input is turned into text first.
bool applyToText(Runtime& runtime, std::string_view name, const std::string& text,
                 const Arguments& arguments, Value& result)
{
    if (name == "string" || name == "safe") {
        result = runtime.text(text);
    } else if (name == "upper") {
        result = runtime.text(upper(text));
    } else if (name == "lower") {
        result = runtime.text(lower(text));
    } else if (name == "capitalize") {
        result = runtime.text(capitalized(text));
    } else if (name == "title") {
        result = runtime.text(titled(text));
    } else if (name == "trim") {
        result = trimmed(runtime, text, arguments);
    } else if (name == "replace") {
        result = replacement(runtime, text, arguments);
    } else if (name == "indent") {
        result = indented(runtime, text, arguments);
    } else if (name == "escape" || name == "e") {
        runtime.charge(5 * text.size());
        result = runtime.text(escaped(text));
    } else {
        return false;
    }
    return true;
}

bool isTextFilter(std::string_view name)
{
    static constexpr auto kNames =
        std::to_array<std::string_view>({"string", "safe", "upper", "lower", "capitalize", "title",
                                         "trim", "replace", "indent", "escape", "e"});
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

} // namespace

bool applyTextFilter(Runtime& runtime, std::string_view name, const Value& value,
                     const Arguments& arguments, Value& result)
{
    if (isTextFilter(name)) {
        return applyToText(runtime, name, toText(runtime, value), arguments, result);
    }
    if (name == "default" || name == "d") {
        result = defaulted(value, arguments);
    } else if (name == "tojson") {
        result = json(runtime, value, arguments);
    } else if (name == "from_json" || name == "fromjson") {
        result = fromJson(runtime, requireText(runtime, value, "JSON"));
    } else if (name == "int") {
        result = toInteger(runtime, value, arguments);
    } else if (name == "float") {
        result = toFloat(runtime, value, arguments);
    } else if (name == "round") {
        result = rounded(runtime, value, arguments);
    } else if (name == "abs") {
        const bool isNegative = value.isNumber() && value.number() < 0;
        result = isNegative ? negated(runtime, value) : value;
        if (!value.isNumber()) {
            runtime.fail("\"abs\" needs a number");
        }
    } else {
        return false;
    }
    return true;
}

Value applyFilter(Runtime& runtime, std::string_view name, const Value& value,
                  const Arguments& arguments)
{
    const Runtime::Level level(runtime);
    runtime.charge(1);
    Value result;
    if (applyTextFilter(runtime, name, value, arguments, result) ||
        applyListFilter(runtime, name, value, arguments, result)) {
        return result;
    }
    runtime.lacks("the filter \"" + std::string(name.substr(0, 40)) + "\"");
}

} // namespace engine::jinja
