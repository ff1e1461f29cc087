#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// Finds stop strings in a text that arrives in pieces. What could be the beginning of a stop
/// string is held back, so that no part of one is ever given out. The result does not depend on
/// where the pieces are cut.
class StopStrings
{
public:
    /// Empty strings are ignored.
    explicit StopStrings(std::vector<std::string> stops);

    /// The text that is now certain to be no part of a stop string. The stop string that is
    /// complete first ends the text (of two that end together, the longer); it and what follows are
    /// dropped.
    std::string push(std::string_view piece);

    /// The text that was held back when the answer ended by other means.
    std::string finish();

    bool isStopped() const { return m_isStopped; }

private:
    std::size_t heldLength() const;

    std::vector<std::string> m_stops;
    std::string m_pending;
    bool m_isStopped = false;
};

} // namespace engine
