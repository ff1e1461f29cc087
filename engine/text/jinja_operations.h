#pragma once

#include "engine/text/jinja_runtime.h"
#include "engine/text/jinja_value.h"

#include <string>
#include <string_view>
#include <vector>

namespace engine::jinja {

/// The operations of Python and Jinja on values. All count what they cost and fail with the current
/// line.

/// str(value): undefined is empty.
std::string toText(Runtime& runtime, const Value& value);
/// repr(value), as inside of a printed list.
std::string toRepr(Runtime& runtime, const Value& value);

bool equals(Runtime& runtime, const Value& left, const Value& right);
/// Fails unless both are numbers, texts or lists.
bool isLess(Runtime& runtime, const Value& left, const Value& right);
/// `name` is one of == != < <= > >= in, not in.
bool compare(Runtime& runtime, std::string_view name, const Value& left, const Value& right);
bool contains(Runtime& runtime, const Value& container, const Value& item);

/// `name` is one of + - * / // % **.
Value arithmetic(Runtime& runtime, std::string_view name, const Value& left, const Value& right);
Value negated(Runtime& runtime, const Value& value);

/// value.name and value[index]; undefined if there is none. Fails for what is itself undefined.
Value attributeOf(Runtime& runtime, const Value& value, const std::string& name);
Value itemOf(Runtime& runtime, const Value& value, const Value& index);
/// value[start:stop:step]; parts that are none or undefined count as left out.
Value sliceOf(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
              const Value& step);

/// What a loop runs over: elements, characters or keys; nothing for undefined. Fails for other
/// values.
std::vector<Value> elementsOf(Runtime& runtime, const Value& value);

/// A path such as "function.name" or "0.role", as the filters' `attribute` takes it.
Value atPath(Runtime& runtime, const Value& value, std::string_view path);

const std::string& requireText(const Runtime& runtime, const Value& value, std::string_view what);
std::int64_t requireInteger(const Runtime& runtime, const Value& value, std::string_view what);

} // namespace engine::jinja
