#pragma once

#include <QPlainTextEdit>

namespace ui {

/// Where a question is typed: Enter sends, Shift+Enter begins a new line.
class QuestionEdit final : public QPlainTextEdit
{
    Q_OBJECT
public:
    explicit QuestionEdit(QWidget* parent = nullptr);
    QSize sizeHint() const override;

signals:
    void sendRequested();

protected:
    void keyPressEvent(QKeyEvent* event) override;
};

} // namespace ui
