#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace engine::jinja {

struct Array;
struct Dict;
struct Function;
struct Loop;

using Text = std::shared_ptr<const std::string>;

struct Undefined
{
    Text name; // what was looked for; null if there is no name
};

struct None
{};

/// A value of a running template. Containers, functions and loops belong to the runtime's heap and
/// live as long as the rendering, which makes copies cheap and lets templates build cycles without
/// a leak.
struct Value
{
    std::variant<Undefined, None, bool, std::int64_t, double, Text, Array*, Dict*, const Function*,
                 const Loop*>
        data;

    template <typename T>
    bool is() const
    {
        return std::holds_alternative<T>(data);
    }

    template <typename T>
    const T& as() const
    {
        return std::get<T>(data);
    }

    bool isNumber() const { return is<bool>() || is<std::int64_t>() || is<double>(); }
    bool isInteger() const { return is<bool>() || is<std::int64_t>(); }
    /// Of a text; valid as long as the value.
    const std::string& text() const { return *as<Text>(); }
    std::int64_t integer() const; // of isInteger()
    double number() const;        // of isNumber()
};

struct Array
{
    std::vector<Value> items;
    bool isTuple = false; // only changes how it is printed
};

struct Dict
{
    std::vector<std::pair<std::string, Value>> entries; // in the order of insertion
    bool isNamespace = false;

    const Value* find(std::string_view key) const;
    void set(const std::string& key, Value value);
};

struct Statement;
struct Scope;

/// Something that can be called: a macro, a method bound to its object, or a function of the
/// environment.
struct Function
{
    enum class Kind
    {
        Global,
        Method,
        Macro
    };

    Kind kind = Kind::Global;
    std::string name;
    Value self;                       // Method
    const Statement* macro = nullptr; // Macro
    Scope* scope = nullptr;           // Macro: where it was defined
};

/// What a template sees as `loop`.
struct Loop
{
    std::vector<Value> items;
    std::size_t index = 0;
    std::size_t depth = 0;
};

/// Variables; the inner scope hides the outer one.
struct Scope
{
    Scope* parent = nullptr;
    std::vector<std::pair<std::string, Value>> variables;

    const Value* find(std::string_view name) const;
    void set(const std::string& name, Value value);
};

/// A call's arguments as they were written.
struct Arguments
{
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> keywords;

    /// The argument at `index` or with `name`; null if it was not given.
    const Value* find(std::size_t index, std::string_view name) const;
};

bool isTrue(const Value& value);
/// The name of the type as Python has it, for messages.
std::string_view typeName(const Value& value);

} // namespace engine::jinja
