#include "ui/reader/text_view.h"

#include "ui/palette_tints.h"

#include <QTextBlock>

#include <algorithm>

namespace ui {

TextView::TextView(QWidget* parent)
    : QPlainTextEdit(parent)
{
    setReadOnly(true);
    setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    setFrameShape(QFrame::NoFrame);
    QFont reading = font();
    reading.setPointSizeF(reading.pointSizeF() * 1.15);
    setFont(reading);
    document()->setDocumentMargin(24);
    setAccessibleName(tr("Text of the document"));
}

void TextView::showText(std::string_view text, std::uint32_t begin)
{
    m_begin = begin;
    m_end = begin + static_cast<std::uint32_t>(text.size());
    m_citations.clear();
    m_offsets.clear();
    int units = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        m_offsets.push_back(units);
        // The UTF-16 units of a character are counted at its first byte.
        if ((byte & 0xC0U) != 0x80U)
            units += byte >= 0xF0U ? 2 : 1;
    }
    m_offsets.push_back(units);
    setPlainText(QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())));
    updateMarks();
}

void TextView::resetZoom()
{
    zoom(-m_steps);
}

void TextView::zoom(int steps)
{
    m_steps += steps;
    zoomIn(steps);
}

void TextView::markCitations(std::vector<app::ByteRange> ranges)
{
    m_citations = std::move(ranges);
    updateMarks();
    if (m_citations.empty())
        return;
    const std::uint32_t first = m_citations.front().begin;
    if (first < m_begin || first >= m_end)
        return;
    QTextCursor cursor(document());
    cursor.setPosition(std::min(m_offsets[first - m_begin], document()->characterCount() - 1));
    setTextCursor(cursor);
    centerCursor();
}

void TextView::setRetention(const app::RetentionView* retention)
{
    m_retention = retention;
    updateMarks();
}

QTextEdit::ExtraSelection TextView::selection(app::ByteRange range, const QColor& colour) const
{
    const int last = document()->characterCount() - 1;
    const auto at = [&](std::uint32_t byte) {
        return std::min(m_offsets[std::clamp(byte, m_begin, m_end) - m_begin], last);
    };
    QTextEdit::ExtraSelection selection;
    selection.cursor = QTextCursor(document());
    selection.cursor.setPosition(at(range.begin));
    selection.cursor.setPosition(at(range.end), QTextCursor::KeepAnchor);
    selection.format.setBackground(colour);
    return selection;
}

void TextView::updateMarks()
{
    QList<QTextEdit::ExtraSelection> selections;
    if (m_retention != nullptr) {
        const float largest = largestShare(*m_retention);
        for (std::size_t i = 0; i < m_retention->ranges.size(); ++i) {
            const app::ByteRange range = m_retention->ranges[i];
            const QColor tint = keptTint(palette(), m_retention->shares[i] / largest);
            if (range.end > m_begin && range.begin < m_end && tint.alpha() > 0)
                selections.push_back(selection(range, tint));
        }
    }
    for (const app::ByteRange range : m_citations) {
        if (range.end > m_begin && range.begin < m_end)
            selections.push_back(selection(range, citationTint(palette())));
    }
    setExtraSelections(selections);
}

} // namespace ui
