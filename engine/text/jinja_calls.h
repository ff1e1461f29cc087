#pragma once

#include "engine/text/jinja_runtime.h"
#include "engine/text/jinja_value.h"

#include <string>
#include <string_view>

namespace engine::jinja {

/// value | name(arguments). Throws Unsupported for a filter outside the subset.
Value applyFilter(Runtime& runtime, std::string_view name, const Value& value,
                  const Arguments& arguments);

/// value is name(arguments). Throws Unsupported for a test outside the subset.
bool applyTest(Runtime& runtime, std::string_view name, const Value& value,
               const Arguments& arguments);

bool hasMethod(const Value& value, std::string_view name);
Value callMethod(Runtime& runtime, const Value& self, std::string_view name,
                 const Arguments& arguments);

/// range, namespace, dict, raise_exception, strftime_now.
bool isGlobal(std::string_view name);
Value callGlobal(Runtime& runtime, std::string_view name, const Arguments& arguments);

// The two halves of applyFilter; false if the name is none of theirs.
bool applyTextFilter(Runtime& runtime, std::string_view name, const Value& value,
                     const Arguments& arguments, Value& result);
bool applyListFilter(Runtime& runtime, std::string_view name, const Value& value,
                     const Arguments& arguments, Value& result);

} // namespace engine::jinja
