#include "engine/text/jinja_operations.h"

#include "engine/text/jinja_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace engine::jinja {

namespace {

[[noreturn]] void failTypes(const Runtime& runtime, std::string_view name, const Value& left,
                            const Value& right)
{
    std::string message = "\"";
    message.append(name).append("\" does not work for ").append(typeName(left));
    message.append(" and ").append(typeName(right));
    runtime.fail(message);
}

Value integerArithmetic(Runtime& runtime, std::string_view name, std::int64_t left,
                        std::int64_t right)
{
    std::int64_t result = 0;
    bool isTooLarge = false;
    if (name == "+") {
        isTooLarge = __builtin_add_overflow(left, right, &result);
    } else if (name == "-") {
        isTooLarge = __builtin_sub_overflow(left, right, &result);
    } else if (name == "*") {
        isTooLarge = __builtin_mul_overflow(left, right, &result);
    } else if (right == -1) {
        isTooLarge = name == "//" && __builtin_sub_overflow(0, left, &result);
    } else {
        const std::int64_t quotient = left / right;
        const std::int64_t remainder = left % right;
        const bool roundsDown = remainder != 0 && (remainder < 0) != (right < 0);
        result =
            name == "//" ? quotient - (roundsDown ? 1 : 0) : remainder + (roundsDown ? right : 0);
    }
    if (isTooLarge) {
        runtime.fail("a number becomes too large");
    }
    return {result};
}

Value power(Runtime& runtime, const Value& left, const Value& right)
{
    if (!left.isInteger() || !right.isInteger() || right.integer() < 0) {
        return {std::pow(left.number(), right.number())};
    }
    const std::int64_t base = left.integer();
    std::int64_t result = 1;
    if (base == 0 || base == 1 || base == -1) {
        const bool isOne = base == 1 || right.integer() % 2 == 0;
        return {right.integer() == 0 ? std::int64_t{1} : isOne ? base * base : base};
    }
    for (std::int64_t i = 0; i < right.integer(); ++i) {
        if (__builtin_mul_overflow(result, base, &result)) {
            runtime.fail("a number becomes too large");
        }
    }
    return {result};
}

Value numberArithmetic(Runtime& runtime, std::string_view name, const Value& left,
                       const Value& right)
{
    if (name == "**") {
        return power(runtime, left, right);
    }
    const bool divides = name == "/" || name == "//" || name == "%";
    if (divides && right.number() == 0) {
        runtime.fail("a number is divided by zero");
    }
    if (left.isInteger() && right.isInteger() && name != "/") {
        return integerArithmetic(runtime, name, left.integer(), right.integer());
    }
    const double a = left.number();
    const double b = right.number();
    if (name == "+") {
        return {a + b};
    }
    if (name == "-") {
        return {a - b};
    }
    if (name == "*") {
        return {a * b};
    }
    if (name == "/") {
        return {a / b};
    }
    const double quotient = std::floor(a / b);
    return {name == "//" ? quotient : a - quotient * b};
}

/// text * n and list * n.
Value repeated(Runtime& runtime, const Value& value, std::int64_t count)
{
    const auto times = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
    const std::size_t size =
        value.is<Text>() ? value.text().size() : value.as<Array*>()->items.size();
    std::size_t total = 0;
    if (__builtin_mul_overflow(size, times, &total)) {
        total = std::numeric_limits<std::size_t>::max();
    }
    if (value.is<Text>()) {
        runtime.charge(total);
        std::string text;
        text.reserve(total);
        for (std::size_t i = 0; size > 0 && i < times; ++i) {
            text += value.text();
        }
        return runtime.text(std::move(text));
    }
    runtime.chargeItems(total);
    std::vector<Value> items;
    items.reserve(total);
    for (std::size_t i = 0; size > 0 && i < times; ++i) {
        const auto& source = value.as<Array*>()->items;
        items.insert(items.end(), source.begin(), source.end());
    }
    return runtime.array(std::move(items));
}

bool isRepeatable(const Value& value)
{
    return value.is<Text>() || value.is<Array*>();
}

/// Positions that a Python slice of `length` elements takes.
std::vector<std::size_t> slicePositions(Runtime& runtime, std::size_t length, const Value& start,
                                        const Value& stop, const Value& step)
{
    const auto isGiven = [](const Value& v) { return !v.is<None>() && !v.is<Undefined>(); };
    const std::int64_t by = isGiven(step) ? requireInteger(runtime, step, "a slice's step") : 1;
    if (by == 0) {
        runtime.fail("a slice's step is zero");
    }
    const auto n = static_cast<std::int64_t>(length);
    const std::int64_t lowest = by > 0 ? 0 : -1;
    const std::int64_t highest = by > 0 ? n : n - 1;
    const auto bound = [&](const Value& v, std::int64_t otherwise) {
        if (!isGiven(v)) {
            return otherwise;
        }
        const std::int64_t at = requireInteger(runtime, v, "a slice's end");
        return std::clamp(at < 0 ? at + n : at, lowest, highest);
    };
    std::int64_t at = bound(start, by > 0 ? 0 : n - 1);
    const std::int64_t end = bound(stop, by > 0 ? n : -1);
    std::vector<std::size_t> positions;
    while (by > 0 ? at < end : at > end) {
        positions.push_back(static_cast<std::size_t>(at));
        if (__builtin_add_overflow(at, by, &at)) {
            break;
        }
    }
    return positions;
}

} // namespace

Value arithmetic(Runtime& runtime, std::string_view name, const Value& left, const Value& right)
{
    if (left.isNumber() && right.isNumber()) {
        return numberArithmetic(runtime, name, left, right);
    }
    if (name == "+" && left.is<Text>() && right.is<Text>()) {
        runtime.charge(left.text().size() + right.text().size());
        return runtime.text(left.text() + right.text());
    }
    if (name == "+" && left.is<Array*>() && right.is<Array*>()) {
        runtime.chargeValue(left);
        runtime.chargeValue(right);
        std::vector<Value> items = left.as<Array*>()->items;
        const auto& others = right.as<Array*>()->items;
        items.insert(items.end(), others.begin(), others.end());
        return runtime.array(std::move(items));
    }
    if (name == "*" && isRepeatable(left) && right.isInteger()) {
        return repeated(runtime, left, right.integer());
    }
    if (name == "*" && left.isInteger() && isRepeatable(right)) {
        return repeated(runtime, right, left.integer());
    }
    if (name == "%" && left.is<Text>()) {
        runtime.lacks("text formatting with \"%\"");
    }
    failTypes(runtime, name, left, right);
}

Value negated(Runtime& runtime, const Value& value)
{
    return arithmetic(runtime, "-", {value.is<double>() ? Value{-0.0} : Value{std::int64_t{0}}},
                      value);
}

bool compare(Runtime& runtime, std::string_view name, const Value& left, const Value& right)
{
    if (name == "==") {
        return equals(runtime, left, right);
    }
    if (name == "!=") {
        return !equals(runtime, left, right);
    }
    if (name == "in") {
        return contains(runtime, right, left);
    }
    if (name == "not in") {
        return !contains(runtime, right, left);
    }
    if (name == "<") {
        return isLess(runtime, left, right);
    }
    if (name == ">") {
        return isLess(runtime, right, left);
    }
    if (left.isNumber() && right.isNumber()) { // not the negation of the opposite, because of NaN
        return name == "<=" ? left.number() <= right.number() : left.number() >= right.number();
    }
    return name == "<=" ? !isLess(runtime, right, left) : !isLess(runtime, left, right);
}

Value itemOf(Runtime& runtime, const Value& value, const Value& index)
{
    if (value.is<Undefined>()) {
        return attributeOf(runtime, value, {}); // fails
    }
    if (value.is<Dict*>() && index.is<Text>()) {
        runtime.charge(value.as<Dict*>()->entries.size());
        if (const Value* found = value.as<Dict*>()->find(index.text())) {
            return *found;
        }
    }
    if (index.is<Text>()) {
        return attributeOf(runtime, value, index.text());
    }
    if (!index.isInteger() || !isRepeatable(value)) {
        return {};
    }
    const bool isText = value.is<Text>();
    runtime.charge(isText ? value.text().size() * 2 : 1);
    const auto offsets = isText ? characterOffsets(value.text()) : std::vector<std::size_t>();
    const auto length =
        static_cast<std::int64_t>(isText ? offsets.size() - 1 : value.as<Array*>()->items.size());
    const std::int64_t at = index.integer() < 0 ? index.integer() + length : index.integer();
    if (at < 0 || at >= length) {
        return {};
    }
    const auto position = static_cast<std::size_t>(at);
    if (!isText) {
        return value.as<Array*>()->items[position];
    }
    return runtime.text(
        value.text().substr(offsets[position], offsets[position + 1] - offsets[position]));
}

Value sliceOf(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
              const Value& step)
{
    if (!isRepeatable(value)) {
        runtime.fail("a slice cannot be taken of " + std::string(typeName(value)));
    }
    if (value.is<Text>()) {
        runtime.chargeItems(value.text().size() / 4);
        const auto offsets = characterOffsets(value.text());
        std::string text;
        for (const std::size_t i : slicePositions(runtime, offsets.size() - 1, start, stop, step)) {
            text += value.text().substr(offsets[i], offsets[i + 1] - offsets[i]);
        }
        return runtime.text(std::move(text));
    }
    const auto& source = value.as<Array*>()->items;
    runtime.chargeItems(source.size());
    std::vector<Value> items;
    for (const std::size_t i : slicePositions(runtime, source.size(), start, stop, step)) {
        items.push_back(source[i]);
    }
    return runtime.array(std::move(items));
}

const std::string& requireText(const Runtime& runtime, const Value& value, std::string_view what)
{
    if (!value.is<Text>()) {
        runtime.fail(std::string(what) + " has to be a string and is " +
                     std::string(typeName(value)));
    }
    return value.text();
}

std::int64_t requireInteger(const Runtime& runtime, const Value& value, std::string_view what)
{
    if (!value.isInteger()) {
        runtime.fail(std::string(what) + " has to be an integer and is " +
                     std::string(typeName(value)));
    }
    return value.integer();
}

} // namespace engine::jinja
