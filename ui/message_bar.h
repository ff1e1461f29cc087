#pragma once

#include <QFrame>

class QLabel;

namespace ui {

/// One sentence above the panes, with a button that closes it. For errors and notices: nothing
/// waits for it.
class MessageBar final : public QFrame
{
    Q_OBJECT
public:
    explicit MessageBar(QWidget* parent = nullptr);

    void showSentence(const QString& sentence);
    QString sentence() const;

private:
    QLabel* m_text;
};

} // namespace ui
