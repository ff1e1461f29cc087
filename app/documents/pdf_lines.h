#pragma once

#include "app/documents/pdf_layout.h"

#include <cstddef>
#include <span>
#include <vector>

namespace app {

/// A printed line, or the piece of one that stands alone.
struct PrintedLine
{
    std::size_t first = 0; // word indices [first, end)
    std::size_t end = 0;
    float left = 0;
    float right = 0;
    float bottom = 0; // median of the words, so that a superscript does not count
    float height = 0; // median, never 0
};

/// Lines in the order of the words.
std::vector<PrintedLine> findLines(std::span<const PrintedWord> words);

/// Whether one stands above the other, by half of the narrower one at least.
bool overlapSideways(const PrintedLine& a, const PrintedLine& b);

/// Whether they can be of one column: as above, or they begin at about the same place, as the short
/// last line of a paragraph and the indented first of the next do.
bool shareColumn(const PrintedLine& a, const PrintedLine& b);

/// Letters of clearly different size: a heading, a footnote.
bool differInSize(const PrintedLine& a, const PrintedLine& b);

/// Distance of consecutive lines of running text on this page; 0 if there are none.
float usualPitch(const std::vector<PrintedLine>& lines);

/// The same words with columns from left to right where they came the other way round: below a
/// heading that spans the page, Poppler sometimes takes the right column first. Only columns of
/// several lines that stand side by side are moved, and none on pages written from right to left.
std::vector<PrintedWord> inColumnOrder(std::vector<PrintedWord> words);

} // namespace app
