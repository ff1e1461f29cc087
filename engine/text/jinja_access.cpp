#include "engine/text/jinja_calls.h"
#include "engine/text/jinja_operations.h"
#include "engine/text/jinja_text.h"

#include <algorithm>
#include <charconv>

namespace engine::jinja {

namespace {

Value loopAttribute(Runtime& runtime, const Loop& loop, const std::string& name)
{
    const auto number = [](std::size_t n) { return Value{static_cast<std::int64_t>(n)}; };
    const std::size_t count = loop.items.size();
    if (name == "index") {
        return number(loop.index + 1);
    }
    if (name == "index0") {
        return number(loop.index);
    }
    if (name == "revindex") {
        return number(count - loop.index);
    }
    if (name == "revindex0") {
        return number(count - loop.index - 1);
    }
    if (name == "first") {
        return {loop.index == 0};
    }
    if (name == "last") {
        return {loop.index + 1 == count};
    }
    if (name == "length") {
        return number(count);
    }
    if (name == "depth" || name == "depth0") {
        return number(name == "depth" ? 1 : 0); // there are no recursive loops
    }
    if (name == "previtem" && loop.index > 0) {
        return loop.items[loop.index - 1];
    }
    if (name == "nextitem" && loop.index + 1 < count) {
        return loop.items[loop.index + 1];
    }
    if (name == "cycle") {
        return runtime.function({Function::Kind::Method, name, {&loop}});
    }
    return {Undefined{std::make_shared<const std::string>("loop." + name)}};
}

bool equalArrays(Runtime& runtime, const Array& left, const Array& right)
{
    if (left.items.size() != right.items.size()) {
        return false;
    }
    for (std::size_t i = 0; i < left.items.size(); ++i) {
        if (!equals(runtime, left.items[i], right.items[i])) {
            return false;
        }
    }
    return true;
}

bool equalDicts(Runtime& runtime, const Dict& left, const Dict& right)
{
    if (left.entries.size() != right.entries.size()) {
        return false;
    }
    for (const auto& [key, value] : left.entries) {
        runtime.charge(right.entries.size());
        const Value* other = right.find(key);
        if (other == nullptr || !equals(runtime, value, *other)) {
            return false;
        }
    }
    return true;
}

} // namespace

Value attributeOf(Runtime& runtime, const Value& value, const std::string& name)
{
    if (value.is<Undefined>()) {
        const Text& missing = value.as<Undefined>().name;
        runtime.fail((missing ? "\"" + *missing + "\"" : std::string("a value")) + " is undefined");
    }
    if (value.is<const Loop*>()) {
        return loopAttribute(runtime, *value.as<const Loop*>(), name);
    }
    const bool isNamespace = value.is<Dict*>() && value.as<Dict*>()->isNamespace;
    if (!isNamespace && hasMethod(value, name)) {
        return runtime.function({Function::Kind::Method, name, value});
    }
    if (value.is<Dict*>()) {
        runtime.charge(value.as<Dict*>()->entries.size());
        if (const Value* found = value.as<Dict*>()->find(name)) {
            return *found;
        }
    }
    return {Undefined{std::make_shared<const std::string>(name)}};
}

Value atPath(Runtime& runtime, const Value& value, std::string_view path)
{
    Value result = value;
    runtime.charge(path.size());
    for (const std::string_view part : splitAt(path, ".", -1)) {
        std::int64_t index = 0;
        const auto end = part.data() + part.size();
        const bool isIndex = !part.empty() && std::from_chars(part.data(), end, index).ptr == end;
        result = itemOf(runtime, result, isIndex ? Value{index} : runtime.text(std::string(part)));
    }
    return result;
}

std::vector<Value> elementsOf(Runtime& runtime, const Value& value)
{
    std::vector<Value> elements;
    if (value.is<Array*>()) {
        runtime.chargeValue(value);
        elements = value.as<Array*>()->items;
    } else if (value.is<Dict*>() && !value.as<Dict*>()->isNamespace) {
        runtime.chargeValue(value);
        for (const auto& [key, entry] : value.as<Dict*>()->entries) {
            elements.push_back(runtime.text(key));
        }
    } else if (value.is<Text>()) {
        runtime.chargeItems(value.text().size());
        const auto offsets = characterOffsets(value.text());
        for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
            elements.push_back(
                runtime.text(value.text().substr(offsets[i], offsets[i + 1] - offsets[i])));
        }
    } else if (!value.is<Undefined>()) {
        runtime.fail(std::string(typeName(value)) + " has no elements to go through");
    }
    return elements;
}

bool equals(Runtime& runtime, const Value& left, const Value& right)
{
    const Runtime::Level level(runtime);
    runtime.chargeItems(1);
    if (left.isInteger() && right.isInteger()) {
        return left.integer() == right.integer();
    }
    if (left.isNumber() && right.isNumber()) {
        return left.number() == right.number();
    }
    if (left.data.index() != right.data.index()) {
        return false;
    }
    if (left.is<Text>()) {
        runtime.charge(std::min(left.text().size(), right.text().size()));
        return left.text() == right.text();
    }
    if (left.is<Array*>()) {
        return equalArrays(runtime, *left.as<Array*>(), *right.as<Array*>());
    }
    if (left.is<Dict*>()) {
        return equalDicts(runtime, *left.as<Dict*>(), *right.as<Dict*>());
    }
    if (left.is<const Function*>()) {
        return left.as<const Function*>() == right.as<const Function*>();
    }
    return !left.is<const Loop*>() || left.as<const Loop*>() == right.as<const Loop*>();
}

bool isLess(Runtime& runtime, const Value& left, const Value& right)
{
    const Runtime::Level level(runtime);
    runtime.chargeItems(1);
    if (left.isInteger() && right.isInteger()) {
        return left.integer() < right.integer();
    }
    if (left.isNumber() && right.isNumber()) {
        return left.number() < right.number();
    }
    if (left.is<Text>() && right.is<Text>()) { // UTF-8 keeps the order of code points
        runtime.charge(std::min(left.text().size(), right.text().size()));
        return left.text() < right.text();
    }
    if (left.is<Array*>() && right.is<Array*>()) {
        const auto& a = left.as<Array*>()->items;
        const auto& b = right.as<Array*>()->items;
        for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
            if (!equals(runtime, a[i], b[i])) {
                return isLess(runtime, a[i], b[i]);
            }
        }
        return a.size() < b.size();
    }
    runtime.fail(std::string(typeName(left)) + " and " + std::string(typeName(right)) +
                 " cannot be put in order");
}

bool contains(Runtime& runtime, const Value& container, const Value& item)
{
    if (container.is<Text>()) {
        runtime.chargeValue(container);
        return container.text().find(requireText(
                   runtime, item, "what is looked for in a string")) != std::string::npos;
    }
    if (container.is<Array*>()) {
        const auto& items = container.as<Array*>()->items;
        return std::any_of(items.begin(), items.end(),
                           [&](const Value& other) { return equals(runtime, other, item); });
    }
    if (container.is<Dict*>()) {
        runtime.charge(container.as<Dict*>()->entries.size());
        return item.is<Text>() && container.as<Dict*>()->find(item.text()) != nullptr;
    }
    if (container.is<Undefined>()) {
        return false;
    }
    runtime.fail("nothing can be in " + std::string(typeName(container)));
}

} // namespace engine::jinja
