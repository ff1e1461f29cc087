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
    tint.setAlpha(relativeShare >= kKeptStrongly ? 140
                  : relativeShare >= kKeptInPart ? 80
                  : relativeShare > 0            ? 28
                                                 : 0);
    return tint;
}

QColor onPaper(const QColor& tint)
{
    const auto mix = [&](int part) { return 255 - (255 - part) * tint.alpha() / 255; };
    return {mix(tint.red()), mix(tint.green()), mix(tint.blue())};
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
