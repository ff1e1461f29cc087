#include "ui/conversation/question_edit.h"

#include <QKeyEvent>

namespace ui {

QuestionEdit::QuestionEdit(QWidget* parent)
    : QPlainTextEdit(parent)
{
    setPlaceholderText(tr("Ask about this document"));
    setAccessibleName(tr("Question"));
    setTabChangesFocus(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

QSize QuestionEdit::sizeHint() const
{
    return {200, fontMetrics().lineSpacing() * 3 + 16};
}

void QuestionEdit::keyPressEvent(QKeyEvent* event)
{
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    if (enter && (event->modifiers() & Qt::ShiftModifier) == 0)
        emit sendRequested();
    else
        QPlainTextEdit::keyPressEvent(event);
}

} // namespace ui
