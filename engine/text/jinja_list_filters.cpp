#include "engine/text/jinja_calls.h"
#include "engine/text/jinja_operations.h"
#include "engine/text/jinja_text.h"

#include <algorithm>
#include <cmath>

namespace engine::jinja {

namespace {

const Value& required(Runtime& runtime, const Arguments& arguments, std::size_t index,
                      std::string_view name)
{
    const Value* value = arguments.find(index, name);
    if (value == nullptr) {
        runtime.fail("a filter needs the argument \"" + std::string(name) + "\"");
    }
    return *value;
}

/// The arguments from `first` on.
Arguments rest(const Arguments& arguments, std::size_t first)
{
    Arguments result = arguments;
    const std::size_t count = std::min(first, result.positional.size());
    result.positional.erase(result.positional.begin(),
                            result.positional.begin() + static_cast<std::ptrdiff_t>(count));
    return result;
}

/// `attribute` of the filters: a path, or an index.
Value attributeAt(Runtime& runtime, const Value& value, const Value& attribute)
{
    return attribute.isInteger()
               ? itemOf(runtime, value, attribute)
               : atPath(runtime, value, requireText(runtime, attribute, "an attribute"));
}

/// What select and map go through: nothing if the value is false in any way.
std::vector<Value> elementsIfTrue(Runtime& runtime, const Value& value)
{
    return isTrue(value) ? elementsOf(runtime, value) : std::vector<Value>();
}

/// select, reject, selectattr, rejectattr.
Value selected(Runtime& runtime, std::string_view name, const Value& value,
               const Arguments& arguments)
{
    const bool byAttribute = name.ends_with("attr");
    const bool keeps = name.starts_with("select");
    const std::size_t testIndex = byAttribute ? 1 : 0;
    const bool hasTest = arguments.positional.size() > testIndex;
    const std::string test =
        hasTest ? requireText(runtime, arguments.positional[testIndex], "a test's name")
                : std::string();
    const Arguments others = rest(arguments, testIndex + 1);
    std::vector<Value> items;
    for (const Value& item : elementsIfTrue(runtime, value)) {
        const Value tested =
            byAttribute ? attributeAt(runtime, item, required(runtime, arguments, 0, "attribute"))
                        : item;
        const bool isChosen = hasTest ? applyTest(runtime, test, tested, others) : isTrue(tested);
        if (isChosen == keeps) {
            items.push_back(item);
        }
    }
    return runtime.array(std::move(items));
}

Value mapped(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    const Value* attribute = arguments.find(arguments.positional.size(), "attribute");
    const Value* otherwise = arguments.find(arguments.positional.size(), "default");
    const std::string filter =
        attribute == nullptr
            ? requireText(runtime, required(runtime, arguments, 0, "filter"), "a filter's name")
            : std::string();
    const Arguments others = rest(arguments, 1);
    std::vector<Value> items;
    for (const Value& item : elementsIfTrue(runtime, value)) {
        Value result = attribute != nullptr ? attributeAt(runtime, item, *attribute)
                                            : applyFilter(runtime, filter, item, others);
        if (attribute != nullptr && otherwise != nullptr && result.is<Undefined>()) {
            result = *otherwise;
        }
        items.push_back(std::move(result));
    }
    return runtime.array(std::move(items));
}

Value joined(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    const Value* separator = arguments.find(0, "d");
    const Value* attribute = arguments.find(1, "attribute");
    const std::string between = separator != nullptr ? toText(runtime, *separator) : std::string();
    std::string text;
    bool isFirst = true;
    for (const Value& item : elementsOf(runtime, value)) {
        runtime.charge(between.size());
        text += isFirst ? "" : between;
        isFirst = false;
        text +=
            toText(runtime, attribute != nullptr ? attributeAt(runtime, item, *attribute) : item);
    }
    return runtime.text(std::move(text));
}

/// What is compared: texts without regard to case unless the filter is told so.
Value sortKey(Runtime& runtime, const Value& item, const Value* attribute, bool isCaseSensitive)
{
    const Value key = attribute != nullptr && !attribute->is<None>()
                          ? attributeAt(runtime, item, *attribute)
                          : item;
    return key.is<Text>() && !isCaseSensitive ? runtime.text(lower(key.text())) : key;
}

bool flag(const Arguments& arguments, std::size_t index, std::string_view name)
{
    const Value* value = arguments.find(index, name);
    return value != nullptr && isTrue(*value);
}

void sortByKeys(Runtime& runtime, std::vector<std::pair<Value, Value>>& keyed, bool isReversed)
{
    // A stable sort keeps to its range even if the order contradicts itself, as it does with NaN.
    std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
        return isReversed ? isLess(runtime, b.first, a.first) : isLess(runtime, a.first, b.first);
    });
}

Value sorted(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    const bool isCaseSensitive = flag(arguments, 1, "case_sensitive");
    const Value* attribute = arguments.find(2, "attribute");
    std::vector<std::pair<Value, Value>> keyed;
    for (const Value& item : elementsOf(runtime, value)) {
        keyed.emplace_back(sortKey(runtime, item, attribute, isCaseSensitive), item);
    }
    sortByKeys(runtime, keyed, flag(arguments, 0, "reverse"));
    std::vector<Value> items;
    items.reserve(keyed.size());
    for (auto& [key, item] : keyed) {
        items.push_back(std::move(item));
    }
    return runtime.array(std::move(items));
}

Value sortedEntries(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    if (!value.is<Dict*>()) {
        runtime.fail("\"dictsort\" needs a mapping");
    }
    const Value* by = arguments.find(1, "by");
    const bool byValue = by != nullptr && by->is<Text>() && by->text() == "value";
    const bool isCaseSensitive = flag(arguments, 0, "case_sensitive");
    std::vector<std::pair<Value, Value>> keyed;
    for (const auto& [key, entry] : value.as<Dict*>()->entries) {
        const Value name = runtime.text(key);
        keyed.emplace_back(sortKey(runtime, byValue ? entry : name, nullptr, isCaseSensitive),
                           runtime.array({name, entry}, true));
    }
    sortByKeys(runtime, keyed, flag(arguments, 2, "reverse"));
    std::vector<Value> items;
    items.reserve(keyed.size());
    for (auto& [key, pair] : keyed) {
        items.push_back(pair);
    }
    return runtime.array(std::move(items));
}

Value unique(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    const bool isCaseSensitive = flag(arguments, 0, "case_sensitive");
    const Value* attribute = arguments.find(1, "attribute");
    std::vector<Value> keys;
    std::vector<Value> items;
    for (const Value& item : elementsOf(runtime, value)) {
        const Value key = sortKey(runtime, item, attribute, isCaseSensitive);
        const bool isKnown = std::any_of(keys.begin(), keys.end(), [&](const Value& other) {
            return equals(runtime, key, other);
        });
        if (!isKnown) {
            keys.push_back(key);
            items.push_back(item);
        }
    }
    return runtime.array(std::move(items));
}

Value extreme(Runtime& runtime, const Value& value, const Arguments& arguments, bool isLargest)
{
    const bool isCaseSensitive = flag(arguments, 0, "case_sensitive");
    const Value* attribute = arguments.find(1, "attribute");
    Value best;
    Value bestKey;
    bool isFirst = true;
    for (const Value& item : elementsOf(runtime, value)) {
        const Value key = sortKey(runtime, item, attribute, isCaseSensitive);
        if (isFirst ||
            (isLargest ? isLess(runtime, bestKey, key) : isLess(runtime, key, bestKey))) {
            best = item;
            bestKey = key;
        }
        isFirst = false;
    }
    return best;
}

Value summed(Runtime& runtime, const Value& value, const Arguments& arguments)
{
    const Value* attribute = arguments.find(0, "attribute");
    const Value* start = arguments.find(1, "start");
    Value total = start != nullptr ? *start : Value{std::int64_t{0}};
    for (const Value& item : elementsOf(runtime, value)) {
        const bool hasAttribute = attribute != nullptr && !attribute->is<None>();
        total = arithmetic(runtime, "+", total,
                           hasAttribute ? attributeAt(runtime, item, *attribute) : item);
    }
    return total;
}

Value length(Runtime& runtime, const Value& value)
{
    std::size_t count = 0;
    if (value.is<Text>()) {
        runtime.chargeValue(value);
        count = characterCount(value.text());
    } else if (value.is<Array*>()) {
        count = value.as<Array*>()->items.size();
    } else if (value.is<Dict*>()) {
        count = value.as<Dict*>()->entries.size();
    } else if (!value.is<Undefined>()) {
        runtime.fail(std::string(typeName(value)) + " has no length");
    }
    return {static_cast<std::int64_t>(count)};
}

Value reversed(Runtime& runtime, const Value& value)
{
    if (value.is<Text>()) {
        return sliceOf(runtime, value, {}, {}, {std::int64_t{-1}});
    }
    std::vector<Value> items = elementsOf(runtime, value);
    std::reverse(items.begin(), items.end());
    return runtime.array(std::move(items));
}

/// The first or last element; undefined if there is none.
Value endOf(Runtime& runtime, const Value& value, bool isFirst)
{
    const std::vector<Value> items = elementsOf(runtime, value);
    if (items.empty()) {
        return {};
    }
    return isFirst ? items.front() : items.back();
}

Value itemsOf(Runtime& runtime, const Value& value)
{
    return value.is<Undefined>() ? runtime.array({}) : callMethod(runtime, value, "items", {});
}

} // namespace

bool applyListFilter(Runtime& runtime, std::string_view name, const Value& value,
                     const Arguments& arguments, Value& result)
{
    if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
        result = selected(runtime, name, value, arguments);
    } else if (name == "map") {
        result = mapped(runtime, value, arguments);
    } else if (name == "join") {
        result = joined(runtime, value, arguments);
    } else if (name == "length" || name == "count") {
        result = length(runtime, value);
    } else if (name == "list") {
        result = runtime.array(elementsOf(runtime, value));
    } else if (name == "first" || name == "last") {
        result = endOf(runtime, value, name == "first");
    } else if (name == "reverse") {
        result = reversed(runtime, value);
    } else if (name == "sort") {
        result = sorted(runtime, value, arguments);
    } else if (name == "dictsort") {
        result = sortedEntries(runtime, value, arguments);
    } else if (name == "unique") {
        result = unique(runtime, value, arguments);
    } else if (name == "min" || name == "max") {
        result = extreme(runtime, value, arguments, name == "max");
    } else if (name == "sum") {
        result = summed(runtime, value, arguments);
    } else if (name == "items") {
        result = itemsOf(runtime, value);
    } else if (name == "attr") {
        result = attributeOf(
            runtime, value,
            requireText(runtime, required(runtime, arguments, 0, "name"), "an attribute"));
    } else {
        return false;
    }
    return true;
}

} // namespace engine::jinja
