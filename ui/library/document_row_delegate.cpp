#include "ui/library/document_row_delegate.h"

#include "ui/library/document_list_model.h"
#include "ui/palette_tints.h"

#include <QApplication>
#include <QPainter>

namespace ui {
namespace {

constexpr int kMargin = 8;
constexpr int kGap = 2;
constexpr int kProgressHeight = 3;

QFont titleFont(const QStyleOptionViewItem& option)
{
    QFont font = option.font;
    font.setBold(true);
    return font;
}

} // namespace

QSize DocumentRowDelegate::sizeHint(const QStyleOptionViewItem& option,
                                    const QModelIndex& /*index*/) const
{
    const int title = QFontMetrics(titleFont(option)).height();
    const int state = QFontMetrics(option.font).height();
    return {160, 2 * kMargin + title + kGap + state + kProgressHeight};
}

void DocumentRowDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                                const QModelIndex& index) const
{
    QStyleOptionViewItem panel = option;
    initStyleOption(&panel, index);
    panel.text.clear();
    const QStyle* style = option.widget ? option.widget->style() : QApplication::style();
    style->drawControl(QStyle::CE_ItemViewItem, &panel, painter, option.widget);

    painter->save();
    const bool selected = (option.state & QStyle::State_Selected) != 0;
    const QColor text = option.palette.color(selected ? QPalette::HighlightedText : QPalette::Text);
    const QRect inner = option.rect.adjusted(kMargin, kMargin, -kMargin, -kMargin);
    const QFontMetrics titleMetrics(titleFont(option));
    const QFontMetrics stateMetrics(option.font);

    painter->setFont(titleFont(option));
    painter->setPen(text);
    painter->drawText(inner.left(), inner.top() + titleMetrics.ascent(),
                      titleMetrics.elidedText(index.data(Qt::DisplayRole).toString(),
                                              Qt::ElideRight, inner.width()));
    painter->setFont(option.font);
    painter->setPen(selected ? text : quietText(option.palette));
    const int stateTop = inner.top() + titleMetrics.height() + kGap;
    painter->drawText(inner.left(), stateTop + stateMetrics.ascent(),
                      stateMetrics.elidedText(index.data(DocumentListModel::StateRole).toString(),
                                              Qt::ElideRight, inner.width()));
    const double progress = index.data(DocumentListModel::ProgressRole).toDouble();
    if (progress >= 0) {
        const QRect line(inner.left(), inner.bottom() - kProgressHeight + kMargin / 2,
                         inner.width(), kProgressHeight);
        painter->fillRect(line, option.palette.color(QPalette::Mid));
        painter->fillRect(
            QRect(line.topLeft(), QSize(static_cast<int>(line.width() * progress), line.height())),
            selected ? text : option.palette.color(QPalette::Highlight));
    }
    painter->restore();
}

} // namespace ui
