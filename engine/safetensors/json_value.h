#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace engine {

struct JsonMember;

/// A JSON value. Whole numbers from 0 to 2^64 - 1 are kept exactly, all others as double.
struct JsonValue
{
    using Array = std::vector<JsonValue>;
    using Object = std::vector<JsonMember>; // in the order of the text

    std::variant<std::nullptr_t, bool, std::uint64_t, double, std::string, Array, Object> value;

    /// Null when the value is of another kind.
    const std::uint64_t* whole() const;
    const std::string* text() const;
    const bool* boolean() const;
    const Array* array() const;
    const Object* object() const;

    /// The member of an object; null when the value is no object or has no such member.
    const JsonValue* find(std::string_view key) const;
};

/// A member of a JSON object.
struct JsonMember
{
    std::string name;
    JsonValue value;
};

// Not in the class, where an Object is not complete yet.
inline const std::uint64_t* JsonValue::whole() const
{
    return std::get_if<std::uint64_t>(&value);
}
inline const std::string* JsonValue::text() const
{
    return std::get_if<std::string>(&value);
}
inline const bool* JsonValue::boolean() const
{
    return std::get_if<bool>(&value);
}
inline const JsonValue::Array* JsonValue::array() const
{
    return std::get_if<Array>(&value);
}
inline const JsonValue::Object* JsonValue::object() const
{
    return std::get_if<Object>(&value);
}

/// Reads one JSON text (RFC 8259) with nothing but blanks around it: UTF-8 must be valid, keys of
/// an object must differ, nesting ends at 32 levels. Throws Damaged, beginning with `name` and
/// naming the byte.
JsonValue parseJson(std::string_view text, const std::string& name);

/// A text as a JSON string with its quotes.
std::string jsonString(std::string_view text);

} // namespace engine
