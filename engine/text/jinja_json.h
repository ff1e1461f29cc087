#pragma once

#include "engine/text/jinja_runtime.h"
#include "engine/text/jinja_value.h"

#include <optional>
#include <string>
#include <string_view>

namespace engine::jinja {

struct JsonStyle
{
    std::optional<std::string> indent; // one level's; without it all is on one line
    std::string itemSeparator = ", ";
    std::string keySeparator = ": ";
    bool asciiOnly = false;
    bool sortKeys = false;
};

/// As Python's json.dumps writes it. Fails for what JSON has no form for, such as undefined.
std::string toJson(Runtime& runtime, const Value& value, const JsonStyle& style);
/// Fails if the text is not JSON.
Value fromJson(Runtime& runtime, std::string_view text);

} // namespace engine::jinja
