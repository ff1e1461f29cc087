#pragma once

#include <QList>
#include <QSizeF>
#include <QString>

class QPainter;

namespace handbook {

struct ContentsLine
{
    QString title;
    QString label; // of the page
};

/// These draw one page's text area of size `area` (device units) with its corner at the painter's
/// origin.
void paintTitlePage(QPainter& painter, const QSizeF& area, const QString& version);
void paintImprint(QPainter& painter, const QSizeF& area, const QString& version);
void paintContents(QPainter& painter, const QSizeF& area, const QList<ContentsLine>& lines);

} // namespace handbook
