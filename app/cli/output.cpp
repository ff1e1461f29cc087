#include "app/cli/output.h"

#include "app/cli/text_width.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace app {
namespace {

/// Whether the cells below the header are numbers, perhaps with a unit: these stand at the right.
bool holdsNumbers(const std::vector<std::vector<std::string>>& rows, std::size_t column)
{
    bool some = false;
    for (auto row = rows.begin() + 1; row < rows.end(); ++row) {
        const std::string cell = column < row->size() ? (*row)[column] : "";
        const bool isNumber = !cell.empty() && cell.front() >= '0' && cell.front() <= '9';
        if (!isNumber && cell != "-")
            return false;
        some = some || isNumber;
    }
    return some;
}

} // namespace

void Output::line(std::string_view text) const
{
    if (!m_json)
        std::cout << withoutControls(text) << '\n';
}

void Output::value(const nlohmann::json& json) const
{
    if (m_json)
        std::cout << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void Output::stream(std::string_view text) const
{
    if (!m_json)
        std::cout << withoutControls(text) << std::flush;
}

bool Output::isTerminal()
{
    return isatty(STDERR_FILENO) != 0;
}

void Output::progress(const std::string& text) const
{
    if (m_json || m_quiet)
        return;
    if (isTerminal())
        std::cerr << "\r\033[K" << text << std::flush;
    else
        std::cerr << text << '\n';
}

void Output::endProgress() const
{
    if (!m_json && !m_quiet && isTerminal())
        std::cerr << "\r\033[K" << std::flush;
}

void Output::notice(const std::string& text) const
{
    if (!m_json)
        std::cerr << text << '\n';
}

void Output::table(const std::vector<std::vector<std::string>>& rows) const
{
    if (m_json || rows.empty())
        return;
    std::vector<std::size_t> widths(rows.front().size());
    for (const auto& row : rows) {
        for (std::size_t column = 0; column < row.size(); ++column)
            widths[column] = std::max(widths[column], columnsOf(row[column]));
    }
    std::vector<bool> right;
    for (std::size_t column = 0; column < widths.size(); ++column)
        right.push_back(holdsNumbers(rows, column));
    for (const auto& row : rows) {
        std::string text;
        for (std::size_t column = 0; column < row.size(); ++column) {
            const std::string space(widths[column] - columnsOf(row[column]), ' ');
            text += right[column] ? space + row[column] : row[column] + space;
            text += "  ";
        }
        line(text.substr(0, text.find_last_not_of(' ') + 1));
    }
}

std::string counted(std::uint64_t count, const std::string& noun)
{
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string numberText(double value, int digits)
{
    std::array<char, 64> buffer{};
    const int length = std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, value);
    return {buffer.data(), static_cast<std::size_t>(std::max(length, 0))};
}

std::string bytesText(std::uint64_t bytes)
{
    constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit)
        value /= 1024;
    return numberText(value, unit == 0 || value >= 100 ? 0 : 1) + " " + kUnits[unit];
}

std::string durationText(double seconds)
{
    if (seconds < 0.1)
        return numberText(seconds * 1000, 0) + " ms";
    if (seconds < 60)
        return numberText(seconds, seconds < 10 ? 1 : 0) + " s";
    const auto whole = static_cast<long>(std::lround(seconds));
    if (whole < 3600)
        return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
    return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string percentText(double fraction)
{
    return numberText(fraction * 100, 1) + " %";
}

std::string timeText(std::int64_t milliseconds)
{
    const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    std::array<char, 32> buffer{};
    const std::size_t length =
        std::strftime(buffer.data(), buffer.size(), "%Y-%m-%d %H:%M", &local);
    return {buffer.data(), length};
}

} // namespace app
