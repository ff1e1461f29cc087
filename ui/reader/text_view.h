#pragma once

#include "ui/reader/page_marks.h"

#include <QPlainTextEdit>

#include <string_view>
#include <vector>

namespace ui {

/// A page of a document that has no printed pages, as flowing text, with marks over its words.
/// Plain text: nothing in a document can make it load or run anything.
class TextView final : public QPlainTextEdit
{
    Q_OBJECT
public:
    explicit TextView(QWidget* parent = nullptr);

    /// `text` is UTF-8; `begin` is its first byte's place in the document, to which marks refer.
    void showText(std::string_view text, std::uint32_t begin);
    /// Marks the ranges and scrolls to the first.
    void markCitations(std::vector<app::ByteRange> ranges);
    /// Back to the size of letters at the start.
    void resetZoom();
    void zoom(int steps);
    /// Null takes the tints away.
    void setRetention(const app::RetentionView* retention);
    bool hasCitationMark() const { return !m_citations.empty(); }

private:
    void updateMarks();
    QTextEdit::ExtraSelection selection(app::ByteRange range, const QColor& colour) const;

    std::uint32_t m_begin = 0;
    std::uint32_t m_end = 0;
    std::vector<int> m_offsets; // character offset of each byte
    std::vector<app::ByteRange> m_citations;
    int m_steps = 0;
    const app::RetentionView* m_retention = nullptr;
};

} // namespace ui
