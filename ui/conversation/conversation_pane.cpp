#include "ui/conversation/conversation_pane.h"

#include "ui/accessible.h"
#include "ui/conversation/message_view.h"
#include "ui/conversation/question_edit.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>

namespace ui {

ConversationPane::ConversationPane(QWidget* parent)
    : QWidget(parent)
    , m_scroll(new QScrollArea(this))
{
    auto* holder = new QWidget(m_scroll);
    m_messages = new QVBoxLayout(holder);
    m_messages->addStretch(1);
    m_scroll->setWidget(holder);
    m_scroll->setWidgetResizable(true);
    m_scroll->setFrameShape(QFrame::NoFrame);
    m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_scroll->setAccessibleName(tr("Messages"));
    m_messages->setContentsMargins(0, 0, 0, 0);
    // New text is always in view, unless one has scrolled back to read.
    QScrollBar* bar = m_scroll->verticalScrollBar();
    connect(bar, &QScrollBar::valueChanged, this,
            [this, bar](int value) { m_followsEnd = value >= bar->maximum() - 4; });
    connect(bar, &QScrollBar::rangeChanged, this, [this, bar](int, int maximum) {
        if (m_followsEnd)
            bar->setValue(maximum);
    });
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(makeHeader());
    layout->addWidget(m_scroll, 1);
    layout->addWidget(makeInput());
    updateControls();
}

QWidget* ConversationPane::makeHeader()
{
    auto* header = new QWidget(this);
    auto* layout = new QHBoxLayout(header);
    layout->setContentsMargins(0, 0, 0, 0);
    m_chooser = new QComboBox(header);
    m_chooser->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_chooser->setPlaceholderText(tr("Conversations"));
    nameWidget(m_chooser, tr("Conversations about this document"));
    m_new = new QPushButton(tr("New"), header);
    nameWidget(m_new, tr("Start a new conversation"));
    layout->addWidget(m_chooser, 1);
    layout->addWidget(m_new);
    connect(m_new, &QPushButton::clicked, this, &ConversationPane::newConversation);
    connect(m_chooser, &QComboBox::activated, this, [this](int row) {
        const app::RecordId id = m_chooser->itemData(row).toLongLong();
        if (id == 0)
            newConversation();
        else if (id != m_conversation)
            emit conversationWanted(m_wanted = id);
    });
    return header;
}

QWidget* ConversationPane::makeInput()
{
    auto* input = new QWidget(this);
    m_hint = new QLabel(input);
    m_hint->setWordWrap(true);
    m_hint->setTextFormat(Qt::PlainText);
    m_state = new QLabel(input);
    m_state->setWordWrap(true);
    m_edit = new QuestionEdit(input);
    m_send = new QPushButton(tr("Ask"), input);
    m_stop = new QPushButton(tr("Stop"), input);
    nameWidget(m_send, tr("Send the question"));
    nameWidget(m_stop, tr("Stop the answer"));
    auto* buttons = new QHBoxLayout;
    buttons->addStretch(1);
    buttons->addWidget(m_stop);
    buttons->addWidget(m_send);
    auto* layout = new QVBoxLayout(input);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(6);
    layout->addWidget(m_hint);
    layout->addWidget(m_state);
    layout->addWidget(m_edit);
    layout->addLayout(buttons);
    connect(m_edit, &QuestionEdit::sendRequested, this, &ConversationPane::send);
    connect(m_edit, &QPlainTextEdit::textChanged, this, &ConversationPane::updateControls);
    connect(m_send, &QPushButton::clicked, this, &ConversationPane::send);
    connect(m_stop, &QPushButton::clicked, this, &ConversationPane::stopRequested);
    return input;
}

void ConversationPane::setDocument(app::RecordId documentId, bool ready)
{
    m_document = documentId;
    m_ready = ready;
    m_chooser->clear();
    clearMessages(); // an answer that is being written goes on, unseen
    newConversation();
}

void ConversationPane::setReady(bool ready)
{
    m_ready = ready;
    updateControls();
}

void ConversationPane::setHint(const QString& hint)
{
    m_hint->setText(hint);
    updateControls();
}

void ConversationPane::updateControls()
{
    const bool canAsk = m_document != 0 && m_ready && !m_answering;
    m_edit->setEnabled(m_document != 0 && m_ready);
    m_send->setEnabled(canAsk && !m_edit->toPlainText().trimmed().isEmpty());
    m_stop->setVisible(m_answering);
    m_new->setEnabled(m_document != 0 && !m_views.empty() && !m_answering);
    m_chooser->setEnabled(m_chooser->count() > 0 && !m_answering);
    m_hint->setVisible(m_document != 0 && m_ready && !m_hint->text().isEmpty());
    m_state->setText(m_document == 0 ? tr("Choose a document to ask about it.")
                                     : tr("This document can be asked when it has been read."));
    m_state->setVisible(m_document == 0 || !m_ready);
}

void ConversationPane::setConversations(const std::vector<app::ConversationRecord>& conversations)
{
    m_chooser->clear();
    m_chooser->addItem(tr("New conversation"), 0);
    for (const app::ConversationRecord& conversation : conversations) {
        m_chooser->addItem(QString::fromStdString(conversation.title),
                           static_cast<qlonglong>(conversation.id));
        if (conversation.id == m_conversation)
            m_chooser->setCurrentIndex(m_chooser->count() - 1);
    }
    updateControls();
}

void ConversationPane::clearMessages()
{
    qDeleteAll(m_views);
    m_views.clear();
}

MessageView* ConversationPane::addMessage(const app::MessageRecord& message)
{
    auto* view = new MessageView(message, m_scroll->widget());
    connect(view, &MessageView::citationsClicked, this, &ConversationPane::citationsClicked);
    m_messages->insertWidget(m_messages->count() - 1, view);
    m_views.push_back(view);
    return view;
}

void ConversationPane::showConversation(app::RecordId conversationId,
                                        const std::vector<app::MessageRecord>& messages)
{
    if (conversationId != m_wanted)
        return; // another one has been chosen since
    m_wanted = 0;
    clearMessages();
    m_followsEnd = true;
    m_conversation = conversationId;
    for (const app::MessageRecord& message : messages)
        addMessage(message);
    updateControls();
}

void ConversationPane::newConversation()
{
    if (m_answering && !m_views.empty())
        return; // the shortcut works at any time
    m_conversation = 0;
    m_wanted = 0;
    clearMessages();
    if (m_chooser->count() > 0)
        m_chooser->setCurrentIndex(0);
    updateControls();
    focusQuestion();
}

void ConversationPane::send()
{
    const QString question = m_edit->toPlainText().trimmed();
    if (question.isEmpty() || !m_send->isEnabled())
        return;
    app::MessageRecord asked;
    asked.text = question.toStdString();
    addMessage(asked);
    app::MessageRecord answer;
    answer.role = app::MessageRole::Assistant;
    answer.status = app::MessageStatus::Partial;
    addMessage(answer);
    m_answering = true;
    m_followsEnd = true;
    m_edit->clear();
    updateControls();
    emit this->asked(m_conversation, question);
}

void ConversationPane::beginAnswer(app::RecordId conversationId, app::RecordId documentId)
{
    if (m_answering && documentId == m_document && !m_views.empty())
        m_conversation = conversationId;
}

void ConversationPane::growAnswer(app::RecordId conversationId, const QString& text)
{
    if (conversationId == m_conversation && m_answering && !m_views.empty())
        m_views.back()->appendText(text);
}

void ConversationPane::finishAnswer(const app::MessageRecord& message)
{
    if (message.conversationId == m_conversation && m_answering && !m_views.empty())
        m_views.back()->setMessage(message);
    const bool hadFocus = m_stop->hasFocus();
    m_answering = false;
    updateControls();
    if (hadFocus)
        focusQuestion();
}

void ConversationPane::abandonQuestion()
{
    if (!m_answering)
        return;
    m_answering = false;
    updateControls();
    if (m_views.size() < 2)
        return;
    // The question goes back to where it was typed.
    m_edit->setPlainText(m_views[m_views.size() - 2]->text());
    for (int i = 0; i < 2; ++i) {
        m_views.back()->deleteLater();
        m_views.pop_back();
    }
    updateControls();
}

void ConversationPane::focusQuestion()
{
    if (m_edit->isEnabled())
        m_edit->setFocus();
}

QString ConversationPane::lastText() const
{
    return m_views.empty() ? QString() : m_views.back()->text();
}

} // namespace ui
