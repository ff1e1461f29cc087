#include "engine/error.h"
#include "engine/text/jinja_calls.h"
#include "engine/text/jinja_operations.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace engine::jinja {

namespace {

constexpr auto kMonths =
    std::to_array<std::string_view>({"January", "February", "March", "April", "May", "June", "July",
                                     "August", "September", "October", "November", "December"});
constexpr auto kDays = std::to_array<std::string_view>(
    {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"});

std::string padded(std::int64_t number, int width)
{
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%0*lld", width, static_cast<long long>(number));
    return buffer.data();
}

/// A point of time in the parts that people write, UTC.
struct Calendar
{
    explicit Calendar(std::chrono::system_clock::time_point now)
        : day(std::chrono::floor<std::chrono::days>(now))
        , date(day)
        , time(std::chrono::floor<std::chrono::seconds>(now - day))
    {}

    std::chrono::sys_days day;
    std::chrono::year_month_day date;
    std::chrono::hh_mm_ss<std::chrono::seconds> time;

    std::string part(char letter) const
    {
        const int year = static_cast<int>(date.year());
        const unsigned month = static_cast<unsigned>(date.month());
        const std::int64_t hour = time.hours().count();
        const unsigned weekday = std::chrono::weekday(day).c_encoding();
        switch (letter) {
        case 'Y':
            return std::to_string(year);
        case 'y':
            return padded(year % 100, 2);
        case 'm':
            return padded(month, 2);
        case 'd':
            return padded(static_cast<unsigned>(date.day()), 2);
        case 'H':
            return padded(hour, 2);
        case 'I':
            return padded(hour % 12 == 0 ? 12 : hour % 12, 2);
        case 'M':
            return padded(time.minutes().count(), 2);
        case 'S':
            return padded(time.seconds().count(), 2);
        case 'p':
            return hour < 12 ? "AM" : "PM";
        case 'B':
            return std::string(kMonths[month - 1]);
        case 'b':
            return std::string(kMonths[month - 1].substr(0, 3));
        case 'A':
            return std::string(kDays[weekday]);
        case 'a':
            return std::string(kDays[weekday].substr(0, 3));
        case 'j': {
            const std::chrono::sys_days start = date.year() / 1 / 1;
            return padded((day - start).count() + 1, 3);
        }
        case '%':
            return "%";
        default:
            return std::string("%") + letter;
        }
    }
};

std::string formatTime(Runtime& runtime, const std::string& format)
{
    const Calendar calendar(runtime.now());
    std::string result;
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%' || i + 1 == format.size()) {
            result += format[i];
            continue;
        }
        ++i;
        const bool isUnpadded = format[i] == '-' && i + 1 < format.size();
        i += isUnpadded ? 1 : 0;
        std::string part = calendar.part(format[i]);
        while (isUnpadded && part.size() > 1 && part[0] == '0') {
            part.erase(0, 1);
        }
        result += part;
    }
    return result;
}

Value range(Runtime& runtime, const Arguments& arguments)
{
    const auto& given = arguments.positional;
    if (given.empty() || given.size() > 3) {
        runtime.fail("\"range\" takes one, two or three numbers");
    }
    const auto number = [&](std::size_t i) {
        return requireInteger(runtime, given[i], "an end of a range");
    };
    std::int64_t at = given.size() > 1 ? number(0) : 0;
    const std::int64_t end = given.size() > 1 ? number(1) : number(0);
    const std::int64_t by = given.size() > 2 ? number(2) : 1;
    if (by == 0) {
        runtime.fail("a range's step is zero");
    }
    std::vector<Value> items;
    while (by > 0 ? at < end : at > end) {
        runtime.chargeItems(1);
        items.push_back({at});
        if (__builtin_add_overflow(at, by, &at)) {
            break;
        }
    }
    return runtime.array(std::move(items));
}

/// namespace(...) and dict(...): entries of mappings, then the named arguments.
Value mapping(Runtime& runtime, const Arguments& arguments, bool isNamespace)
{
    Value value = runtime.dict();
    Dict& dict = *value.as<Dict*>();
    dict.isNamespace = isNamespace;
    for (const Value& source : arguments.positional) {
        if (!source.is<Dict*>()) {
            runtime.fail("a mapping can only be made of mappings and named values");
        }
        callMethod(runtime, value, "update", {{source}, {}});
    }
    callMethod(runtime, value, "update", {{}, arguments.keywords});
    return value;
}

[[noreturn]] void raise(Runtime& runtime, const Arguments& arguments)
{
    const Value* message = arguments.find(0, "message");
    const std::string text =
        message != nullptr ? toText(runtime, *message) : std::string("no reason given");
    throw Error(ErrorCode::BadInput,
                "The model's chat template refuses this conversation: " + text.substr(0, 1000));
}

} // namespace

bool isGlobal(std::string_view name)
{
    static constexpr auto kNames = std::to_array<std::string_view>(
        {"range", "namespace", "dict", "raise_exception", "strftime_now"});
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

Value callGlobal(Runtime& runtime, std::string_view name, const Arguments& arguments)
{
    if (name == "range") {
        return range(runtime, arguments);
    }
    if (name == "namespace" || name == "dict") {
        return mapping(runtime, arguments, name == "namespace");
    }
    if (name == "raise_exception") {
        raise(runtime, arguments);
    }
    const Value* format = arguments.find(0, "format");
    return runtime.text(
        formatTime(runtime, format != nullptr ? requireText(runtime, *format, "the format") : ""));
}

} // namespace engine::jinja
