#include "resources/handbook/chapter.h"

#include <QAbstractTextDocumentLayout>
#include <QFontMetricsF>
#include <QPagedPaintDevice>
#include <QPainter>
#include <QTextBlock>
#include <QTextCursor>
#include <QTextLayout>
#include <QTextList>
#include <QTextTable>

#include <algorithm>

#include "resources/handbook/typography.h"

namespace handbook {

namespace {

constexpr int kLineHeight = 128;      // percent
constexpr int kTightLineHeight = 122; // for a chapter that would leave a page nearly empty
constexpr double kLeastUsedPage = 0.2;
constexpr double kPointsPerInch = 72.0;
constexpr int kMostRowsTogether = 14; // longer tables and listings may be divided between pages

QTextTable* tableOf(const QTextBlock& block)
{
    return QTextCursor(block).currentTable();
}

bool leadsOn(const QTextBlock& block)
{
    return block.isValid() && tableOf(block) == nullptr && !isCode(block) &&
           (block.blockFormat().headingLevel() > 0 || block.text().endsWith(u':'));
}

bool isTableStart(const QTextBlock& block)
{
    const QTextTable* table = tableOf(block);
    return table != nullptr && table->firstCursorPosition().block() == block;
}

/// Qt does not heed a page break before a table, so an empty line of no height carries it.
void breakBefore(const QTextBlock& block)
{
    QTextBlockFormat format = block.blockFormat();
    QTextCursor cursor(block);
    if (const QTextTable* table = tableOf(block); table != nullptr) {
        format = QTextBlockFormat();
        format.setLineHeight(0, QTextBlockFormat::FixedHeight);
        cursor.setPosition(table->firstPosition() - 1);
        cursor.insertBlock(format, QTextCharFormat());
    }
    format.setPageBreakPolicy(QTextFormat::PageBreak_AlwaysBefore);
    cursor.setBlockFormat(format);
}

bool isBreakBefore(const QTextBlock& block)
{
    const QTextBlock carrier = tableOf(block) != nullptr ? block.previous() : block;
    return carrier.blockFormat().pageBreakPolicy() == QTextFormat::PageBreak_AlwaysBefore;
}

/// Upper edge of a line in the coordinates of the document.
double lineTop(const QTextBlock& block, int line)
{
    const QAbstractTextDocumentLayout& layout = *block.document()->documentLayout();
    const double origin =
        layout.blockBoundingRect(block).top() - block.layout()->boundingRect().top();
    return origin + block.layout()->lineAt(line).y();
}

/// One pale ground behind each listing, and a second one where it goes on overleaf.
void paintListingGrounds(QPainter& painter, const QTextDocument& document, const QRectF& area)
{
    const double inset = kCodeInset * painter.device()->logicalDpiY() / kPointsPerInch;
    const auto isOnPage = [&](const QTextBlock& block) {
        return isCode(block) && lineTop(block, 0) >= area.top() &&
               lineTop(block, 0) < area.bottom();
    };
    for (QTextBlock block = document.begin(); block.isValid(); block = block.next()) {
        if (!isOnPage(block)) {
            continue;
        }
        const double top = lineTop(block, 0);
        while (isOnPage(block.next())) {
            block = block.next();
        }
        const double bottom = document.documentLayout()->blockBoundingRect(block).bottom();
        const QRectF ground(area.left(), top, area.width(), bottom - top);
        painter.fillRect(ground.adjusted(0, -inset * 0.8, 0, inset * 0.8), kPaleGround);
    }
}

/// The lowest line that has to be on the page on which `block` begins: all of a short table or
/// listing, the second line of a paragraph, and of what a heading leads to.
double endOfUnit(const QTextBlock& block)
{
    if (isTableStart(block) && tableOf(block)->rows() <= kMostRowsTogether) {
        // Qt reports cells that it has moved to the next page at their old place; what follows is
        // right.
        const QTextBlock behind = tableOf(block)->lastCursorPosition().block().next();
        return lineTop(behind, 0) - 1;
    }
    QTextBlock last = block;
    for (int rows = 1; isCode(block) && isCode(last.next()) && rows < kMostRowsTogether; ++rows) {
        last = last.next();
    }
    if (leadsOn(block) && block.next().isValid()) {
        return endOfUnit(block.next());
    }
    // Its lower edge: Qt sometimes leaves a paragraph of one line on the edge of the page.
    const int line = std::min(1, last.layout()->lineCount() - 1);
    return lineTop(last, line) + last.layout()->lineAt(line).height() - 1;
}

/// The mark of a list item, to the left of its first line.
void paintMark(QPainter& painter, const QTextBlock& block, const QPointF& origin)
{
    const QTextLine line = block.layout()->lineAt(0);
    const QTextList& list = *block.textList();
    const bool isNumbered = list.format().style() == QTextListFormat::ListDecimal;
    const QString mark = isNumbered ? list.itemText(block) : QStringLiteral("\u2022");
    const QFont font = serifFont(kBodySize);
    const double width = QFontMetricsF(font, painter.device()).horizontalAdvance(mark);
    const double gap = 6 * painter.device()->logicalDpiX() / kPointsPerInch;
    painter.setFont(font);
    painter.setPen(kInk);
    painter.drawText(origin + QPointF(line.x() - gap - width, line.y() + line.ascent()), mark);
}

/// The lines of one block that begin on a page. Qt's own drawing repeats a line at the edge of two
/// pages, outside what is seen, but not outside what is read from the PDF.
void paintBlock(QPainter& painter, const QTextBlock& block, const QRectF& area)
{
    const QTextLayout& layout = *block.layout();
    const QRectF placed = block.document()->documentLayout()->blockBoundingRect(block);
    const QPointF origin = placed.topLeft() - layout.boundingRect().topLeft();
    for (int i = 0; i < layout.lineCount(); ++i) {
        const double top = lineTop(block, i);
        if (top < area.top() || top >= area.bottom()) {
            continue;
        }
        painter.setPen(kInk);
        layout.lineAt(i).draw(&painter, origin);
        if (i == 0 && block.textList() != nullptr) {
            paintMark(painter, block, origin);
        }
    }
}

/// A table with its rules: what Qt draws between its first line and what follows it.
void paintTable(QPainter& painter, QTextTable& table, const QRectF& area)
{
    QAbstractTextDocumentLayout& layout = *table.document()->documentLayout();
    const double top = layout.frameBoundingRect(&table).top();
    const double bottom = lineTop(table.lastCursorPosition().block().next(), 0);
    QAbstractTextDocumentLayout::PaintContext context;
    context.clip = area.intersected(QRectF(0, top, area.width(), bottom - 1 - top));
    if (!context.clip.isEmpty()) {
        layout.draw(&painter, context);
    }
}

} // namespace

Chapter::Chapter(const QString& markdown, int number, const QSizeF& area, QPagedPaintDevice& device)
    : m_document(std::make_unique<QTextDocument>())
    , m_area(area)
{
    m_document->documentLayout()->setPaintDevice(&device);
    m_document->setDocumentMargin(0);
    m_document->setDefaultFont(serifFont(kBodySize));
    typeset(markdown, number, kLineHeight, device);
    const int pages = pageCount();
    const double used = m_document->size().height() / area.height() - (pages - 1);
    if (pages > 1 && used < kLeastUsedPage) {
        typeset(markdown, number, kTightLineHeight, device);
    }
}

void Chapter::typeset(const QString& markdown, int number, int lineHeight,
                      QPagedPaintDevice& device)
{
    m_document->setMarkdown(markdown, QTextDocument::MarkdownDialectGitHub);
    QTextCursor(m_document.get()).insertText(QString::number(number) + QStringLiteral("   "));
    applyTypography(*m_document, lineHeight, device.logicalDpiX() / kPointsPerInch);
    while (keepTogether()) {
    }
}

QString Chapter::title() const
{
    return headings().front().title;
}

int Chapter::pageCount() const
{
    return m_document->pageCount();
}

QList<Heading> Chapter::headings() const
{
    QList<Heading> result;
    for (QTextBlock block = m_document->begin(); block.isValid(); block = block.next()) {
        if (const int level = block.blockFormat().headingLevel(); level > 0) {
            const double top = lineTop(block, 0);
            const int page = static_cast<int>(top / m_area.height());
            result.push_back({block.text(), level, page, top - page * m_area.height()});
        }
    }
    return result;
}

void Chapter::paint(QPainter& painter, int page) const
{
    const QRectF area(QPointF(0, page * m_area.height()), m_area);
    painter.save();
    painter.translate(0, -area.top());
    paintListingGrounds(painter, *m_document, area);
    for (QTextBlock block = m_document->begin(); block.isValid(); block = block.next()) {
        if (isTableStart(block)) {
            paintTable(painter, *tableOf(block), area);
        } else if (tableOf(block) == nullptr) {
            paintBlock(painter, block, area);
        }
    }
    painter.restore();
}

/// Moves the first heading, listing, table or paragraph that a page's end divides badly to the next
/// page; a paragraph leaves no single line behind. False when there is nothing left to move.
bool Chapter::keepTogether()
{
    m_document->setPageSize(
        m_area); // lays out everything; Qt's partial layouts divide tables wrongly
    m_document->pageCount();
    for (QTextBlock block = m_document->begin(); block.isValid(); block = block.next()) {
        const bool isInsideTable = tableOf(block) != nullptr && !isTableStart(block);
        if (isInsideTable || block.layout()->lineCount() == 0) {
            continue;
        }
        const auto page = [&](double top) { return static_cast<int>(top / m_area.height()); };
        const int first = page(lineTop(block, 0));
        const bool isLed = leadsOn(block.previous()); // and moved with the block before, if at all
        if (!isLed && !isBreakBefore(block) && first != page(endOfUnit(block))) {
            breakBefore(block);
            return true;
        }
    }
    return false;
}

} // namespace handbook
