#include "ui/conversation/message_view.h"

#include "ui/accessible.h"
#include "ui/palette_tints.h"
#include "ui/text_format.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>

#include <map>

namespace ui {
namespace {

QString shownText(const app::MessageRecord& message)
{
    QString text = QString::fromStdString(message.text).trimmed();
    if (message.role != app::MessageRole::Assistant)
        return text;
    if (message.status == app::MessageStatus::Failed)
        return MessageView::tr("There is no answer: %1").arg(text);
    if (message.status == app::MessageStatus::Partial)
        return text + MessageView::tr(" [stopped]");
    return text.isEmpty() ? MessageView::tr("The document does not continue this quotation.")
                          : text;
}

} // namespace

MessageView::MessageView(const app::MessageRecord& message, QWidget* parent)
    : QFrame(parent)
    , m_who(new QLabel(this))
    , m_text(new QLabel(this))
    , m_facts(new QLabel(this))
    , m_citations(new QWidget(this))
    , m_citationRow(new QHBoxLayout(m_citations))
{
    QFont bold = font();
    bold.setBold(true);
    m_who->setFont(bold);
    m_text->setWordWrap(true);
    m_text->setTextFormat(Qt::PlainText);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_text->setFocusPolicy(Qt::ClickFocus);
    QFont small = font();
    small.setPointSizeF(small.pointSizeF() * 0.85);
    m_facts->setFont(small);
    m_facts->setWordWrap(true);
    m_facts->setTextFormat(Qt::PlainText);
    quietFacts();
    m_citationRow->setContentsMargins(0, 0, 0, 0);
    m_citationRow->addStretch(1);

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(10, 8, 10, 8);
    layout->setSpacing(4);
    layout->addWidget(m_who);
    layout->addWidget(m_text);
    layout->addWidget(m_citations);
    layout->addWidget(m_facts);
    setMessage(message);
}

void MessageView::changeEvent(QEvent* event)
{
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange)
        quietFacts();
}

void MessageView::quietFacts()
{
    QPalette quiet = palette();
    quiet.setColor(QPalette::WindowText, quietText(palette()));
    m_facts->setPalette(quiet);
}

void MessageView::setMessage(const app::MessageRecord& message)
{
    const bool question = message.role == app::MessageRole::User;
    m_who->setText(question ? tr("You") : tr("Answer"));
    setAutoFillBackground(question);
    setBackgroundRole(question ? QPalette::Base : QPalette::Window);
    const bool writing = message.status == app::MessageStatus::Partial && message.text.empty() &&
                         message.facts.device.empty();
    m_content = writing ? QString() : shownText(message);
    QFont face = font();
    face.setItalic(!question && !writing && message.text.empty());
    m_text->setFont(face);
    m_text->setText(m_content);
    m_text->setAccessibleName((question ? tr("You: ") : tr("Answer: ")) + m_content);
    showCitations(message.citations);
    m_facts->setVisible(!question && !message.facts.device.empty());
    app::AnswerFacts facts = message.facts;
    if (message.text.empty())
        facts.tokensGenerated = 0; // only the end was generated: there is no first word
    m_facts->setText(factsText(facts));
}

void MessageView::appendText(const QString& text)
{
    m_content += text;
    m_text->setText(m_content);
}

QString MessageView::text() const
{
    return m_content;
}

void MessageView::showCitations(const std::vector<app::CitationRecord>& citations)
{
    qDeleteAll(m_citations->findChildren<QPushButton*>());
    std::map<std::size_t, std::vector<app::CitationRecord>> pages;
    for (const app::CitationRecord& citation : citations)
        pages[citation.pageIndex].push_back(citation);
    int place = 0;
    for (const auto& [index, onPage] : pages) {
        const QString label = QString::fromStdString(onPage.front().pageLabel);
        auto* button = new QPushButton(tr("p. %1").arg(plainLabel(label)), m_citations);
        button->setObjectName(QStringLiteral("citation"));
        button->setAccessibleName(tr("Show page %1").arg(label));
        QStringList quotes;
        for (const app::CitationRecord& citation : onPage)
            quotes << QString::fromStdString(citation.quote).simplified();
        button->setToolTip(plainToolTip(quotes.join(u'\n')));
        connect(button, &QPushButton::clicked, this,
                [this, shown = onPage] { emit citationsClicked(shown); });
        m_citationRow->insertWidget(place++, button);
    }
    m_citations->setVisible(!citations.empty());
}

} // namespace ui
