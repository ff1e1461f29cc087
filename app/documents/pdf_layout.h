#pragma once

#include "app/documents/import_sink.h"

#include <string>
#include <vector>

namespace app {

/// A word as the PDF reader found it; boxes in points from the top left corner of the page.
struct PrintedWord
{
    std::string text; // UTF-8, not empty
    float x = 0;
    float y = 0;
    float width = 0;
    float height = 0;
    bool spaceAfter = false; // followed by a space on the same line

    float right() const { return x + width; }
    float bottom() const { return y + height; }
};

/// Makes running text of the words of a page, which are in reading order, and keeps each word's
/// box.
///
/// Lines of a paragraph are joined by a space, or by a line feed where the next word would still
/// have fitted (verse, lists, tables). A paragraph ends at a wider gap, a change of letter size, or
/// behind a sentence that is followed by an indented line. A word hyphenated at a line end is
/// joined again. Running headers, page numbers and footnotes stay where they are: they are part of
/// what is printed. The page ends with one line feed if its last sentence goes on, else with two.
PageContent layoutPdfPage(std::vector<PrintedWord> words);

} // namespace app
