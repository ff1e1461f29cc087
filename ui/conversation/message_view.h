#pragma once

#include "app/library/records.h"

#include <QFrame>

class QLabel;
class QHBoxLayout;

namespace ui {

/// One message: who, the text, and under an answer its citations and facts.
class MessageView final : public QFrame
{
    Q_OBJECT
public:
    explicit MessageView(const app::MessageRecord& message, QWidget* parent = nullptr);

    void setMessage(const app::MessageRecord& message);
    void appendText(const QString& text);
    QString text() const;

signals:
    /// All citations of one page.
    void citationsClicked(std::vector<app::CitationRecord> citations);

protected:
    void changeEvent(QEvent* event) override;

private:
    void quietFacts();
    void showCitations(const std::vector<app::CitationRecord>& citations);

    QLabel* m_who;
    QLabel* m_text;
    QLabel* m_facts;
    QWidget* m_citations;
    QHBoxLayout* m_citationRow;
    QString m_content;
};

} // namespace ui
