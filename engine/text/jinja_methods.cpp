#include "engine/text/jinja_calls.h"
#include "engine/text/jinja_operations.h"
#include "engine/text/jinja_text.h"

#include <algorithm>
#include <array>
#include <span>

namespace engine::jinja {

namespace {

constexpr auto kTextMethods = std::to_array<std::string_view>(
    {"split",        "rsplit",       "splitlines", "strip", "lstrip",  "rstrip",  "startswith",
     "endswith",     "upper",        "lower",      "title", "replace", "find",    "rfind",
     "removeprefix", "removesuffix", "capitalize", "count", "join",    "isdigit", "format"});
constexpr auto kListMethods =
    std::to_array<std::string_view>({"append", "pop", "extend", "insert", "index", "count"});
constexpr auto kDictMethods = std::to_array<std::string_view>(
    {"items", "keys", "values", "get", "pop", "update", "setdefault", "copy"});

bool isIn(std::span<const std::string_view> names, std::string_view name)
{
    return std::ranges::find(names, name) != names.end();
}

/// Fails if a needed argument is missing.
const Value& argument(Runtime& runtime, const Arguments& arguments, std::size_t index,
                      std::string_view name = {})
{
    const Value* value = arguments.find(index, name);
    if (value == nullptr) {
        runtime.fail("a method is called with too few arguments");
    }
    return *value;
}

std::int64_t limitOf(Runtime& runtime, const Arguments& arguments, std::size_t index,
                     std::string_view name)
{
    const Value* limit = arguments.find(index, name);
    return limit != nullptr ? requireInteger(runtime, *limit, name) : -1;
}

Value split(Runtime& runtime, const std::string& text, bool fromEnd, const Arguments& arguments)
{
    const Value* separator = arguments.find(0, "sep");
    const std::int64_t limit = limitOf(runtime, arguments, 1, "maxsplit");
    std::vector<std::string_view> parts;
    runtime.charge(2 * text.size());
    if (separator == nullptr || separator->is<None>()) {
        if (fromEnd && limit >= 0) {
            runtime.lacks("rsplit() at blanks");
        }
        parts = splitAtBlanks(text, limit);
    } else {
        const std::string& between = requireText(runtime, *separator, "a separator");
        if (between.empty()) {
            runtime.fail("a text cannot be split at nothing");
        }
        parts = fromEnd ? splitAtLast(text, between, limit) : splitAt(text, between, limit);
    }
    std::vector<Value> items;
    for (const std::string_view part : parts) {
        runtime.chargeItems(1);
        items.push_back(runtime.text(std::string(part)));
    }
    return runtime.array(std::move(items));
}

Value strip(Runtime& runtime, std::string_view text, std::string_view name,
            const Arguments& arguments)
{
    const Value* characters = arguments.find(0, "chars");
    const bool hasSet = characters != nullptr && !characters->is<None>();
    const std::string set =
        hasSet ? requireText(runtime, *characters, "what is stripped") : std::string();
    runtime.charge(set.size());
    if (name != "rstrip") {
        text = hasSet ? trimmedStart(text, set) : trimmedStart(text);
    }
    if (name != "lstrip") {
        text = hasSet ? trimmedEnd(text, set) : trimmedEnd(text);
    }
    return runtime.text(std::string(text));
}

/// startswith and endswith, with one text or a tuple of them.
bool hasAffix(Runtime& runtime, const std::string& text, bool atStart, const Value& affix)
{
    if (affix.is<Array*>()) {
        const auto& items = affix.as<Array*>()->items;
        return std::any_of(items.begin(), items.end(), [&](const Value& item) {
            const std::string& part = requireText(runtime, item, "an affix");
            runtime.charge(part.size());
            return atStart ? text.starts_with(part) : text.ends_with(part);
        });
    }
    const std::string& part = requireText(runtime, affix, "an affix");
    return atStart ? text.starts_with(part) : text.ends_with(part);
}

Value replace(Runtime& runtime, const std::string& text, const Arguments& arguments)
{
    const std::string& from =
        requireText(runtime, argument(runtime, arguments, 0, "old"), "what is replaced");
    const std::string& to =
        requireText(runtime, argument(runtime, arguments, 1, "new"), "the replacement");
    const std::int64_t limit = limitOf(runtime, arguments, 2, "count");
    const std::size_t places = from.empty() ? text.size() + 1 : text.size() / from.size();
    std::size_t most = 0;
    if (__builtin_mul_overflow(places, to.size(), &most) || most > runtime.limits().outputBytes) {
        most = 0; // counted exactly, since texts seldom consist of nothing but what is replaced
        const auto parts =
            from.empty() ? std::vector<std::string_view>() : splitAt(text, from, limit);
        runtime.chargeItems(parts.size());
        for (std::size_t i = 0; i < std::max(parts.size(), from.empty() ? places : 0); ++i) {
            runtime.charge(to.size());
        }
    }
    runtime.charge(text.size() + most);
    return runtime.text(replaced(text, from, to, limit));
}

Value position(Runtime& runtime, const std::string& text, const Value& part, bool fromEnd)
{
    const std::string& wanted = requireText(runtime, part, "what is looked for");
    const std::size_t at = fromEnd ? text.rfind(wanted) : text.find(wanted);
    if (at == std::string::npos) {
        return {std::int64_t{-1}};
    }
    return {static_cast<std::int64_t>(characterCount(std::string_view(text).substr(0, at)))};
}

std::int64_t occurrences(Runtime& runtime, const std::string& text, const Value& part)
{
    const std::string& wanted = requireText(runtime, part, "what is counted");
    if (wanted.empty()) {
        return static_cast<std::int64_t>(characterCount(text) + 1);
    }
    std::int64_t count = 0;
    for (std::size_t at = text.find(wanted); at != std::string::npos;
         at = text.find(wanted, at + wanted.size())) {
        ++count;
    }
    return count;
}

Value withoutAffix(Runtime& runtime, const std::string& text, bool atStart, const Value& affix)
{
    const std::size_t length = hasAffix(runtime, text, atStart, affix)
                                   ? requireText(runtime, affix, "an affix").size()
                                   : 0;
    return runtime.text(text.substr(atStart ? length : 0, text.size() - length));
}

Value callTextMethod(Runtime& runtime, const Value& self, std::string_view name,
                     const Arguments& arguments)
{
    const std::string& text = self.text();
    runtime.charge(text.size());
    if (name == "split" || name == "rsplit") {
        return split(runtime, text, name == "rsplit", arguments);
    }
    if (name == "splitlines") {
        std::vector<Value> lines;
        for (const std::string_view line : splitLines(text)) {
            runtime.chargeItems(1);
            lines.push_back(runtime.text(std::string(line)));
        }
        return runtime.array(std::move(lines));
    }
    if (name.ends_with("strip")) {
        return strip(runtime, text, name, arguments);
    }
    if (name == "startswith" || name == "endswith") {
        return {hasAffix(runtime, text, name == "startswith", argument(runtime, arguments, 0))};
    }
    if (name == "removeprefix" || name == "removesuffix") {
        return withoutAffix(runtime, text, name == "removeprefix", argument(runtime, arguments, 0));
    }
    if (name == "replace") {
        return replace(runtime, text, arguments);
    }
    if (name == "find" || name == "rfind") {
        return position(runtime, text, argument(runtime, arguments, 0), name == "rfind");
    }
    if (name == "count") {
        return {occurrences(runtime, text, argument(runtime, arguments, 0))};
    }
    if (name == "join") {
        return applyFilter(runtime, "join", argument(runtime, arguments, 0), {{self}, {}});
    }
    if (name == "isdigit") {
        const bool isNumber = text.find_first_not_of("0123456789") == std::string::npos;
        return {isNumber && !text.empty()};
    }
    if (name == "format") {
        runtime.lacks("the method \"format\"");
    }
    return applyFilter(runtime, name, self, {}); // upper, lower, title, capitalize
}

/// The position of `index` in a list, counted from the end if negative; fails outside.
std::size_t positionIn(Runtime& runtime, const std::vector<Value>& items, const Value& index)
{
    const auto length = static_cast<std::int64_t>(items.size());
    std::int64_t at = requireInteger(runtime, index, "an index");
    at += at < 0 ? length : 0;
    if (at < 0 || at >= length) {
        runtime.fail("an index is outside of its list");
    }
    return static_cast<std::size_t>(at);
}

Value callListMethod(Runtime& runtime, Array& self, std::string_view name,
                     const Arguments& arguments)
{
    auto& items = self.items;
    if (name == "append") {
        runtime.chargeItems(1);
        items.push_back(argument(runtime, arguments, 0));
        return {None{}};
    }
    if (name == "extend") {
        const auto more = elementsOf(runtime, argument(runtime, arguments, 0));
        items.insert(items.end(), more.begin(), more.end());
        return {None{}};
    }
    runtime.chargeItems(items.size());
    if (name == "insert") {
        const auto length = static_cast<std::int64_t>(items.size());
        const std::int64_t at =
            requireInteger(runtime, argument(runtime, arguments, 0), "an index");
        const std::int64_t place = std::clamp<std::int64_t>(at < 0 ? at + length : at, 0, length);
        const Value item = argument(runtime, arguments, 1);
        items.insert(items.begin() + place, item);
        return {None{}};
    }
    if (name == "pop") {
        const std::size_t at = positionIn(runtime, items,
                                          arguments.positional.empty() ? Value{std::int64_t{-1}}
                                                                       : arguments.positional[0]);
        Value item = items[at];
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
        return item;
    }
    const Value& wanted = argument(runtime, arguments, 0);
    std::int64_t count = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const bool isFound = equals(runtime, items[i], wanted);
        if (isFound && name == "index") {
            return {static_cast<std::int64_t>(i)};
        }
        count += isFound ? 1 : 0;
    }
    if (name == "index") {
        runtime.fail("a value is not in the list");
    }
    return {count};
}

/// items(), keys() and values().
Value partsOf(Runtime& runtime, const Dict& self, std::string_view name)
{
    std::vector<Value> items;
    items.reserve(self.entries.size());
    for (const auto& [key, value] : self.entries) {
        const Value text = name == "values" ? Value{} : runtime.text(key);
        items.push_back(name == "items"  ? runtime.array({text, value}, true)
                        : name == "keys" ? text
                                         : value);
    }
    return runtime.array(std::move(items));
}

void update(Runtime& runtime, Dict& self, const Arguments& arguments)
{
    Arguments given = arguments;
    if (!given.positional.empty() && given.positional[0].is<Dict*>()) {
        const auto entries = given.positional[0].as<Dict*>()->entries;
        given.keywords.insert(given.keywords.begin(), entries.begin(), entries.end());
    }
    for (const auto& [key, value] : given.keywords) {
        runtime.charge(self.entries.size() + key.size());
        runtime.chargeItems(2);
        self.set(key, value);
    }
}

/// get(), pop() and setdefault().
Value entryOf(Runtime& runtime, Dict& self, std::string_view name, const Arguments& arguments)
{
    const std::string& key = requireText(runtime, argument(runtime, arguments, 0, "key"), "a key");
    const Value* found = self.find(key);
    const Value* otherwise = arguments.find(1, "default");
    Value result = found != nullptr ? *found : otherwise != nullptr ? *otherwise : Value{None{}};
    if (name == "pop") {
        if (found == nullptr && otherwise == nullptr) {
            runtime.fail("a mapping has no \"" + key.substr(0, 40) + "\"");
        }
        std::erase_if(self.entries, [&](const auto& entry) { return entry.first == key; });
    } else if (name == "setdefault" && found == nullptr) {
        self.set(key, result);
    }
    return result;
}

Value callDictMethod(Runtime& runtime, Dict& self, std::string_view name,
                     const Arguments& arguments)
{
    runtime.chargeItems(self.entries.size());
    if (name == "items" || name == "keys" || name == "values") {
        return partsOf(runtime, self, name);
    }
    if (name == "copy") {
        return runtime.dict(self.entries);
    }
    if (name == "update") {
        update(runtime, self, arguments);
        return {None{}};
    }
    return entryOf(runtime, self, name, arguments);
}

} // namespace

bool hasMethod(const Value& value, std::string_view name)
{
    return (value.is<Text>() && isIn(kTextMethods, name)) ||
           (value.is<Array*>() && isIn(kListMethods, name)) ||
           (value.is<Dict*>() && isIn(kDictMethods, name));
}

Value callMethod(Runtime& runtime, const Value& self, std::string_view name,
                 const Arguments& arguments)
{
    const Runtime::Level level(runtime);
    if (self.is<const Loop*>()) { // loop.cycle(...)
        if (arguments.positional.empty()) {
            runtime.fail("\"loop.cycle\" needs values");
        }
        return arguments.positional[self.as<const Loop*>()->index % arguments.positional.size()];
    }
    if (!hasMethod(self, name)) {
        runtime.fail(std::string(typeName(self)) + " has no \"" + std::string(name) + "\"");
    }
    if (self.is<Text>()) {
        return callTextMethod(runtime, self, name, arguments);
    }
    if (self.is<Array*>()) {
        return callListMethod(runtime, *self.as<Array*>(), name, arguments);
    }
    return callDictMethod(runtime, *self.as<Dict*>(), name, arguments);
}

} // namespace engine::jinja
