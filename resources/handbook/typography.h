#pragma once

#include <QColor>
#include <QFont>

class QTextBlock;
class QTextDocument;

namespace handbook {

constexpr double kBodySize = 10.5; // points
constexpr double kCodeInset = 7.0; // points around a listing, inside its ground
constexpr QColor kInk(0x1d, 0x23, 0x27);
constexpr QColor kAccent(0x1f, 0x5d, 0x6b);
constexpr QColor kFaint(0x7c, 0x86, 0x8a);
constexpr QColor kPaleGround(0xf1, 0xf4, 0xf3);

/// The fonts of installer/packages.txt; another of the same kind where one is missing.
/// Ligatures are off, so that the text can be taken out of the PDF letter by letter.
QFont serifFont(double points);
QFont sansFont(double points);
QFont monoFont(double points);

/// True for a line of a fenced listing.
bool isCode(const QTextBlock& block);

/// A length in points as Qt's text formats want it: pixels of the screen, which the layout scales
/// to the device.
double points(double value);

/// Gives every block, table and fragment of a document that came from Markdown its look.
/// `lineHeight` of the body is in percent of the font's own; `unitsPerPoint` is the resolution of
/// the device it is laid out for.
void applyTypography(QTextDocument& document, int lineHeight, double unitsPerPoint);

} // namespace handbook
