#include "engine/text/jinja_calls.h"
#include "engine/text/jinja_operations.h"
#include "engine/text/jinja_text.h"

#include <algorithm>
#include <array>

namespace engine::jinja {

namespace {

/// Tests without an argument.
struct PlainTest
{
    std::string_view name;
    bool (*holds)(const Value& value);
};

constexpr auto kPlainTests = std::to_array<PlainTest>({
    {"defined", [](const Value& v) { return !v.is<Undefined>(); }},
    {"undefined", [](const Value& v) { return v.is<Undefined>(); }},
    {"none", [](const Value& v) { return v.is<None>(); }},
    {"string", [](const Value& v) { return v.is<Text>(); }},
    {"number", [](const Value& v) { return v.isNumber(); }},
    {"integer", [](const Value& v) { return v.is<std::int64_t>(); }},
    {"float", [](const Value& v) { return v.is<double>(); }},
    {"boolean", [](const Value& v) { return v.is<bool>(); }},
    {"true", [](const Value& v) { return v.is<bool>() && v.as<bool>(); }},
    {"false", [](const Value& v) { return v.is<bool>() && !v.as<bool>(); }},
    {"mapping", [](const Value& v) { return v.is<Dict*>() && !v.as<Dict*>()->isNamespace; }},
    {"iterable",
     [](const Value& v) {
         return v.is<Undefined>() || v.is<Text>() || v.is<Array*>() || v.is<const Loop*>() ||
                (v.is<Dict*>() && !v.as<Dict*>()->isNamespace);
     }},
    {"sequence",
     [](const Value& v) {
         return v.is<Undefined>() || v.is<Text>() || v.is<Array*>() ||
                (v.is<Dict*>() && !v.as<Dict*>()->isNamespace);
     }},
    {"callable", [](const Value& v) { return v.is<const Function*>(); }},
    {"escaped", [](const Value&) { return false; }},
});

/// Tests that compare, with the operator that they stand for.
constexpr auto kComparisons = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"eq", "=="},
    {"equalto", "=="},
    {"==", "=="},
    {"ne", "!="},
    {"!=", "!="},
    {"lt", "<"},
    {"lessthan", "<"},
    {"<", "<"},
    {"le", "<="},
    {"<=", "<="},
    {"gt", ">"},
    {"greaterthan", ">"},
    {">", ">"},
    {"ge", ">="},
    {">=", ">="},
    {"in", "in"},
});

bool isSame(Runtime& runtime, const Value& value, const Value& other)
{
    const bool isContainer = value.is<Array*>() || value.is<Dict*>();
    if (value.data.index() != other.data.index()) {
        return false;
    }
    if (isContainer) {
        return value.is<Array*>() ? value.as<Array*>() == other.as<Array*>()
                                  : value.as<Dict*>() == other.as<Dict*>();
    }
    return equals(runtime, value, other);
}

bool hasCase(Runtime& runtime, const Value& value, bool isUpper)
{
    const std::string text = toText(runtime, value);
    return isUpper ? upper(text) == text && lower(text) != text
                   : lower(text) == text && upper(text) != text;
}

} // namespace

bool applyTest(Runtime& runtime, std::string_view name, const Value& value,
               const Arguments& arguments)
{
    runtime.charge(1);
    for (const PlainTest& test : kPlainTests) {
        if (test.name == name) {
            return test.holds(value);
        }
    }
    if (name == "odd" || name == "even") {
        const bool isOdd =
            requireInteger(runtime, value, "what is tested for odd or even") % 2 != 0;
        return isOdd == (name == "odd");
    }
    if (name == "lower" || name == "upper") {
        return hasCase(runtime, value, name == "upper");
    }
    const auto needed = [&]() -> const Value& {
        if (arguments.positional.empty()) {
            runtime.fail("the test \"" + std::string(name) + "\" needs a value to test against");
        }
        return arguments.positional[0];
    };
    for (const auto& [test, comparison] : kComparisons) {
        if (test == name) {
            return compare(runtime, comparison, value, needed());
        }
    }
    if (name == "sameas") {
        return isSame(runtime, value, needed());
    }
    if (name == "divisibleby") {
        const Value rest = arithmetic(runtime, "%", value, needed());
        return !isTrue(rest);
    }
    runtime.lacks("the test \"" + std::string(name.substr(0, 40)) + "\"");
}

} // namespace engine::jinja
