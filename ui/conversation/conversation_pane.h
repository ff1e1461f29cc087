#pragma once

#include "app/library/records.h"

#include <QHash>
#include <QWidget>

class QComboBox;
class QLabel;
class QPushButton;
class QScrollArea;
class QVBoxLayout;

namespace ui {

class MessageView;
class QuestionEdit;

/// Questions and answers about the open document.
class ConversationPane final : public QWidget
{
    Q_OBJECT
public:
    explicit ConversationPane(QWidget* parent = nullptr);

    /// 0 closes it. `ready` is false while the document has not been prepared.
    void setDocument(app::RecordId documentId, bool ready);
    void setReady(bool ready);
    /// What the reader in use can do; hidden when empty.
    void setHint(const QString& hint);
    void setConversations(const std::vector<app::ConversationRecord>& conversations);
    void showConversation(app::RecordId conversationId,
                          const std::vector<app::MessageRecord>& messages);
    void beginAnswer(app::RecordId conversationId, app::RecordId documentId);
    void growAnswer(app::RecordId conversationId, const QString& text);
    void finishAnswer(const app::MessageRecord& message);
    /// The question could not be asked.
    void abandonQuestion();

    void newConversation();
    void focusQuestion();
    app::RecordId documentId() const { return m_document; }
    app::RecordId conversationId() const { return m_conversation; }
    bool isAnswering() const { return m_answering; }
    QString lastText() const;

signals:
    void asked(app::RecordId conversationId, QString question);
    void stopRequested();
    void conversationWanted(app::RecordId conversationId);
    void citationsClicked(std::vector<app::CitationRecord> citations);

private:
    void send();
    void clearMessages();
    MessageView* addMessage(const app::MessageRecord& message);
    void updateControls();
    QWidget* makeHeader();
    QWidget* makeInput();

    app::RecordId m_document = 0;
    app::RecordId m_conversation = 0;
    app::RecordId m_wanted = 0; // the conversation that is being fetched
    bool m_followsEnd = true;
    bool m_ready = false;
    bool m_answering = false;
    QComboBox* m_chooser = nullptr;
    QPushButton* m_new = nullptr;
    QPushButton* m_send = nullptr;
    QPushButton* m_stop = nullptr;
    QLabel* m_hint = nullptr;
    QLabel* m_state = nullptr;
    QuestionEdit* m_edit = nullptr;
    QScrollArea* m_scroll;
    QVBoxLayout* m_messages;
    std::vector<MessageView*> m_views; // owned by the scroll area's widget
};

} // namespace ui
