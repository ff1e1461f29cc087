#pragma once

#include <QColor>
#include <QPalette>

namespace ui {

/// The tint of cited words, see-through, in the palette's highlight hue.
QColor citationTint(const QPalette& palette);

/// The tint of a word by the share of (layer, head) cells that kept it, relative to the document's
/// largest share: one hue, stronger for more. Fully transparent only when nothing kept it.
QColor keptTint(const QPalette& palette, float relativeShare);

/// Where "kept in part" and "kept strongly" begin, relative to the document's largest share.
constexpr float kKeptInPart = 0.34F;
constexpr float kKeptStrongly = 0.67F;

/// What a see-through tint looks like on white paper.
QColor onPaper(const QColor& tint);

/// A text colour for what matters less, readable on the palette's background.
QColor quietText(const QPalette& palette);

} // namespace ui
