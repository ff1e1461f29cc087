#include "ui/palette_tints.h"

namespace ui {

QColor citationTint(const QPalette& palette)
{
    QColor tint = palette.color(QPalette::Highlight);
    tint.setAlpha(90);
    return tint;
}

QColor keptTint(const QPalette& palette, float relativeShare)
{
    QColor tint = palette.color(QPalette::Highlight);
    tint.setAlpha(relativeShare >= kKeptStrongly ? 120 : relativeShare >= kKeptInPart ? 60 : 0);
    return tint;
}

QColor quietText(const QPalette& palette)
{
    const QColor text = palette.color(QPalette::WindowText);
    const QColor back = palette.color(QPalette::Window);
    const auto mix = [](int a, int b) { return (a * 65 + b * 35) / 100; };
    return {mix(text.red(), back.red()), mix(text.green(), back.green()),
            mix(text.blue(), back.blue())};
}

} // namespace ui
