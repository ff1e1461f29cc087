#pragma once

#include <QList>
#include <QSizeF>
#include <QString>
#include <QTextDocument>

#include <memory>

class QPagedPaintDevice;
class QPainter;

namespace handbook {

/// A heading and where it stands inside its chapter.
struct Heading
{
    QString title;
    int level = 1;  // 1 is the chapter's own title
    int page = 0;   // counted from 0 within the chapter
    double top = 0; // device units from the upper edge of the text area
};

/// One Markdown file, typeset into pages of the size of the text area.
class Chapter
{
public:
    /// `number` is printed before the title. `area` is in units of `device`.
    Chapter(const QString& markdown, int number, const QSizeF& area, QPagedPaintDevice& device);

    QString title() const;
    int pageCount() const;
    QList<Heading> headings() const;

    /// Draws one page with its text area's upper left corner at the painter's origin.
    void paint(QPainter& painter, int page) const;

private:
    void typeset(const QString& markdown, int number, int lineHeight, QPagedPaintDevice& device);
    bool keepTogether();

    std::unique_ptr<QTextDocument> m_document;
    QSizeF m_area;
};

} // namespace handbook
