#pragma once

#include <QByteArray>
#include <QList>
#include <QString>

namespace handbook {

/// One line of a PDF's table of contents.
struct OutlineEntry
{
    QString title;
    int level = 0;     // 0 is a chapter; a level may be at most one deeper than the entry before it
    int pageIndex = 0; // counted from 0
    double top = 0.0;  // points from the lower edge of the page, as PDF counts
};

enum class LabelStyle
{
    LowerRoman, // i, ii, iii
    Decimal     // 1, 2, 3
};

/// From page `firstPage` (counted from 0) on, pages are labelled 1, 2, 3, ... in `style`.
struct LabelRange
{
    int firstPage = 0;
    LabelStyle style = LabelStyle::Decimal;
};

/// `pdf` with an incremental update (ISO 32000-1, 7.5.6) that adds an outline (12.3.3) and page
/// labels (12.4.2); the bytes of `pdf` stay as they are and only the catalogue gets a second
/// version at the end. Made for the plain files of QPdfWriter: a classic cross-reference table and
/// a flat page tree. Throws std::runtime_error when `pdf` is of another make, or an entry names a
/// page that it does not have.
QByteArray withOutline(const QByteArray& pdf, const QList<OutlineEntry>& entries,
                       const QList<LabelRange>& labels);

} // namespace handbook
