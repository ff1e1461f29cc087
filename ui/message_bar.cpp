#include "ui/message_bar.h"

#include "ui/accessible.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>

namespace ui {

MessageBar::MessageBar(QWidget* parent)
    : QFrame(parent)
    , m_text(new QLabel(this))
{
    setFrameShape(QFrame::StyledPanel);
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::ToolTipBase);
    m_text->setForegroundRole(QPalette::ToolTipText);
    m_text->setWordWrap(true);
    m_text->setTextFormat(Qt::PlainText);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    auto* close = new QToolButton(this);
    close->setText(tr("Close"));
    nameWidget(close, tr("Close the message"));
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(12, 6, 8, 6);
    layout->addWidget(m_text, 1);
    layout->addWidget(close);
    hide();
}

void MessageBar::showSentence(const QString& sentence)
{
    m_text->setText(sentence);
    m_text->setAccessibleName(sentence);
    show();
}

QString MessageBar::sentence() const
{
    return isVisibleTo(parentWidget()) ? m_text->text() : QString();
}

} // namespace ui
