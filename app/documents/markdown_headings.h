#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace app {

struct MarkdownHeading
{
    std::string title;      // without marks of emphasis at its ends
    int level = 1;          // 1 to 6
    std::size_t offset = 0; // of the line's first byte
};

/// Headings of both kinds ("# Title" and underlined), outside fenced code, after CommonMark 4.2
/// to 4.5.
std::vector<MarkdownHeading> findMarkdownHeadings(std::string_view text);

} // namespace app
