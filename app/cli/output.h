#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// Where a command's results go: sentences and tables for a person, or one JSON value.
class Output
{
public:
    Output(bool json, bool quiet)
        : m_json(json)
        , m_quiet(quiet)
    {}

    bool json() const { return m_json; }
    /// Whether progress overwrites itself; otherwise each call is a line.
    static bool isTerminal();

    /// A result line on standard output, without control characters; nothing with --json.
    void line(std::string_view text) const;
    /// The result as JSON on standard output; nothing without --json.
    void value(const nlohmann::json& json) const;
    /// Text that belongs to a line still being written (a streaming answer).
    void stream(std::string_view text) const;
    /// Progress on standard error, overwriting the line before on a terminal; nothing when quiet or
    /// with --json.
    void progress(const std::string& text) const;
    void endProgress() const;
    /// What a person has to know beside the result: a line on standard error that stays; nothing
    /// with --json.
    void notice(const std::string& text) const;
    /// A table with a header; columns as wide as they need to be, numbers at the right.
    void table(const std::vector<std::vector<std::string>>& rows) const;

private:
    bool m_json;
    bool m_quiet;
};

/// "1.3 GiB", "410 KiB".
std::string bytesText(std::uint64_t bytes);
/// "1 h 5 min", "3 min 20 s", "4.2 s", "12 ms".
std::string durationText(double seconds);
/// "30.0 %".
std::string percentText(double fraction);
/// "2026-11-27 18:20", local time, from milliseconds since 1970.
std::string timeText(std::int64_t milliseconds);
/// "1 page", "12 pages".
std::string counted(std::uint64_t count, const std::string& noun);
/// A number with the given digits behind the point.
std::string numberText(double value, int digits);

} // namespace app
