#pragma once

#include <QStyledItemDelegate>

namespace ui {

/// A document as two lines: its title, and quieter its pages and state, with a thin line while a
/// job is at work.
class DocumentRowDelegate final : public QStyledItemDelegate
{
    Q_OBJECT
public:
    using QStyledItemDelegate::QStyledItemDelegate;

    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

} // namespace ui
