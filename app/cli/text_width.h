#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace app {

/// Columns that a terminal gives a text: none for combining marks, two for the wide characters of
/// East Asian scripts and for pictures, one for all others.
std::size_t columnsOf(std::string_view text);

/// The text without control characters other than line breaks and tabs: titles and answers hold
/// what strangers wrote, and must not steer the terminal.
std::string withoutControls(std::string_view text);

} // namespace app
