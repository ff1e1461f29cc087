#include "resources/handbook/front_matter.h"

#include <QFontMetricsF>
#include <QPaintDevice>
#include <QPainter>

#include <array>

#include "resources/handbook/typography.h"

namespace handbook {

namespace {

double unitsPerPoint(const QPainter& painter)
{
    constexpr double kPointsPerInch = 72.0;
    return painter.device()->logicalDpiY() / kPointsPerInch;
}

/// The sign of the program: lines of a page, of which some are kept strongly and the others pale.
void paintSign(QPainter& painter, const QRectF& area)
{
    struct Line
    {
        double length = 1; // share of the width
        double strength = 1;
    };
    constexpr std::array kLines{Line{1, .16}, Line{.93, 1},  Line{1, .3},   Line{.97, .16},
                                Line{.62, 1}, Line{1, .16},  Line{.9, .55}, Line{1, .16},
                                Line{.95, 1}, Line{.48, .16}};
    const double step = area.height() / kLines.size();
    painter.save();
    painter.setPen(Qt::NoPen);
    for (std::size_t i = 0; i < kLines.size(); ++i) {
        QColor colour = kAccent;
        colour.setRgbF(1 + (colour.redF() - 1) * static_cast<float>(kLines[i].strength),
                       1 + (colour.greenF() - 1) * static_cast<float>(kLines[i].strength),
                       1 + (colour.blueF() - 1) * static_cast<float>(kLines[i].strength));
        painter.setBrush(colour);
        const double top = area.top() + step * static_cast<double>(i);
        painter.drawRect(QRectF(area.left(), top, area.width() * kLines[i].length, step * 0.42));
    }
    painter.restore();
}

void paintLine(QPainter& painter, double top, const QFont& font, const QColor& colour,
               const QString& text)
{
    painter.setFont(font);
    painter.setPen(colour);
    painter.drawText(QPointF(0, top), text);
}

} // namespace

void paintTitlePage(QPainter& painter, const QSizeF& area, const QString& version)
{
    const double unit = unitsPerPoint(painter);
    QFont title = sansFont(54);
    title.setBold(true);
    paintLine(painter, area.height() * 0.2, title, kAccent, QStringLiteral("Epitome"));
    paintLine(painter, area.height() * 0.2 + 34 * unit, serifFont(20), kInk,
              QStringLiteral("The handbook"));
    paintSign(painter, QRectF(0, area.height() * 0.36, area.width(), area.height() * 0.36));
    QFont motto = serifFont(13);
    motto.setItalic(true);
    paintLine(painter, area.height() * 0.82, motto, kInk,
              QStringLiteral("Read a book once, keep it, ask it later."));
    paintLine(painter, area.height(), sansFont(10), kFaint,
              QStringLiteral("Version %1").arg(version));
}

void paintImprint(QPainter& painter, const QSizeF& area, const QString& version)
{
    const QString text =
        QStringLiteral(
            "This handbook describes version %1 of Epitome. It is the sample document of the "
            "program as well: import it, prepare it, ask it.\n\n"
            "Epitome is free software. You may use, study, share and change it under the terms of "
            "the GNU General Public License, version 3 or, as you choose, any later version. It "
            "comes without any warranty, as far as the law permits.\n\n"
            "Set in Caladea, Carlito and DejaVu Sans Mono.")
            .arg(version);
    painter.setFont(serifFont(9.5));
    painter.setPen(kInk);
    const QRectF lower(0, area.height() * 0.6, area.width() * 0.78, area.height() * 0.4);
    painter.drawText(lower, Qt::AlignBottom | Qt::TextWordWrap, text);
}

void paintContents(QPainter& painter, const QSizeF& area, const QList<ContentsLine>& lines)
{
    const double unit = unitsPerPoint(painter);
    QFont heading = sansFont(25);
    heading.setBold(true);
    paintLine(painter, 22 * unit, heading, kAccent, QStringLiteral("Contents"));
    const QFont font = serifFont(kBodySize + 0.5);
    const QFontMetricsF metrics(font, painter.device());
    double baseline = 68 * unit;
    for (const ContentsLine& line : lines) {
        paintLine(painter, baseline, font, kInk, line.title);
        const double labelLeft = area.width() - metrics.horizontalAdvance(line.label);
        painter.drawText(QPointF(labelLeft, baseline), line.label);
        const double from = metrics.horizontalAdvance(line.title) + 8 * unit;
        painter.setPen(QPen(kFaint, 0.6 * unit, Qt::CustomDashLine));
        QPen dots(kFaint, 0.7 * unit);
        dots.setDashPattern({1.0, 6.0});
        painter.setPen(dots);
        painter.drawLine(QPointF(from, baseline - unit),
                         QPointF(labelLeft - 8 * unit, baseline - unit));
        baseline += 21.5 * unit;
    }
}

} // namespace handbook
