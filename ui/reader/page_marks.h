#pragma once

#include "app/session/session.h"

#include <QRectF>

#include <vector>

namespace ui {

/// A rectangle on a page in points, from its top left corner, with a strength in 0..1.
struct PageMark
{
    QRectF box;
    float strength = 1;
};

/// Boxes of the words that overlap a byte range of the text; words of one line are joined.
std::vector<PageMark> layoutCitation(const std::vector<app::ImportedWord>& words,
                                     app::ByteRange range);

/// A box for each word with its share, relative to the largest share of the document (0..1). A word
/// of several tokens has their mean.
std::vector<PageMark> layoutRetention(const std::vector<app::ImportedWord>& words,
                                      const app::RetentionView& retention);

/// The largest share in the document, at least a small positive number.
float largestShare(const app::RetentionView& retention);

/// Mean share of the tokens that overlap a byte range, 0 when there are none.
float shareOf(const app::RetentionView& retention, app::ByteRange range);

} // namespace ui
