#include "engine/text/jinja_value.h"

#include <algorithm>
#include <array>

namespace engine::jinja {

namespace {

template <typename Entries>
auto findKey(Entries& entries, std::string_view key)
{
    return std::find_if(entries.begin(), entries.end(),
                        [&](const auto& entry) { return entry.first == key; });
}

template <typename Entries>
void setKey(Entries& entries, const std::string& key, Value value)
{
    const auto found = findKey(entries, key);
    if (found != entries.end()) {
        found->second = std::move(value);
    } else {
        entries.emplace_back(key, std::move(value));
    }
}

} // namespace

std::int64_t Value::integer() const
{
    return is<bool>() ? (as<bool>() ? 1 : 0) : as<std::int64_t>();
}

double Value::number() const
{
    return is<double>() ? as<double>() : static_cast<double>(integer());
}

const Value* Dict::find(std::string_view key) const
{
    const auto found = findKey(entries, key);
    return found == entries.end() ? nullptr : &found->second;
}

void Dict::set(const std::string& key, Value value)
{
    setKey(entries, key, std::move(value));
}

const Value* Scope::find(std::string_view name) const
{
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
        const auto found = findKey(scope->variables, name);
        if (found != scope->variables.end()) {
            return &found->second;
        }
    }
    return nullptr;
}

void Scope::set(const std::string& name, Value value)
{
    setKey(variables, name, std::move(value));
}

const Value* Arguments::find(std::size_t index, std::string_view name) const
{
    if (index < positional.size()) {
        return &positional[index];
    }
    const auto found = findKey(keywords, name);
    return found == keywords.end() ? nullptr : &found->second;
}

bool isTrue(const Value& value)
{
    if (value.is<bool>()) {
        return value.as<bool>();
    }
    if (value.isNumber()) {
        return value.number() != 0;
    }
    if (value.is<Text>()) {
        return !value.text().empty();
    }
    if (value.is<Array*>()) {
        return !value.as<Array*>()->items.empty();
    }
    if (value.is<Dict*>()) {
        return value.as<Dict*>()->isNamespace || !value.as<Dict*>()->entries.empty();
    }
    return !value.is<Undefined>() && !value.is<None>();
}

std::string_view typeName(const Value& value)
{
    static constexpr auto kNames =
        std::to_array<std::string_view>({"undefined", "none", "boolean", "integer", "float",
                                         "string", "list", "mapping", "function", "loop"});
    return kNames[value.data.index()];
}

} // namespace engine::jinja
