#include "engine/dialog/stop_strings.h"

#include <algorithm>
#include <utility>

namespace engine {

StopStrings::StopStrings(std::vector<std::string> stops)
    : m_stops(std::move(stops))
{
    std::erase_if(m_stops, [](const std::string& stop) { return stop.empty(); });
}

std::string StopStrings::push(std::string_view piece)
{
    if (m_isStopped) {
        return {};
    }
    m_pending += piece;
    std::size_t start = std::string::npos;
    std::size_t end = std::string::npos;
    for (const std::string& stop : m_stops) {
        const std::size_t found = m_pending.find(stop);
        if (found == std::string::npos) {
            continue;
        }
        if (std::pair(found + stop.size(), found) < std::pair(end, start)) {
            start = found;
            end = found + stop.size();
        }
    }
    m_isStopped = start != std::string::npos;
    const std::size_t certain = m_isStopped ? start : m_pending.size() - heldLength();
    std::string text = m_pending.substr(0, certain);
    m_pending.erase(0, m_isStopped ? m_pending.size() : certain);
    return text;
}

std::string StopStrings::finish()
{
    return std::exchange(m_pending, {});
}

/// The longest end of the pending text that is the beginning of a stop string.
std::size_t StopStrings::heldLength() const
{
    std::size_t held = 0;
    for (const std::string& stop : m_stops) {
        const std::string_view pending = m_pending;
        std::size_t length = std::min(stop.size() - 1, pending.size());
        while (length > held &&
               !std::string_view(stop).starts_with(pending.substr(pending.size() - length))) {
            --length;
        }
        held = std::max(held, length);
    }
    return held;
}

} // namespace engine
