#include "app/cli/output.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace app {

void Output::line(std::string_view text) const
{
    if (!m_json)
        std::cout << text << '\n';
}

void Output::value(const nlohmann::json& json) const
{
    if (m_json)
        std::cout << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void Output::stream(std::string_view text) const
{
    if (!m_json)
        std::cout << text << std::flush;
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
            widths[column] = std::max(widths[column], row[column].size());
    }
    for (const auto& row : rows) {
        std::string text;
        for (std::size_t column = 0; column < row.size(); ++column) {
            text += row[column];
            if (column + 1 < row.size())
                text.append(widths[column] - row[column].size() + 2, ' ');
        }
        std::cout << text << '\n';
    }
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
    char buffer[32];
    const std::size_t length = std::strftime(buffer, sizeof(buffer), "%Y-%m-%d %H:%M", &local);
    return {buffer, length};
}

} // namespace app
