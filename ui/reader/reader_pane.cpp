#include "ui/reader/reader_pane.h"

#include "ui/accessible.h"
#include "ui/reader/page_view.h"
#include "ui/reader/text_view.h"
#include "ui/text_format.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QInputDialog>
#include <QLabel>
#include <QStackedWidget>
#include <QToolButton>

namespace ui {

ReaderPane::ReaderPane(QWidget* parent)
    : QWidget(parent)
    , m_stack(new QStackedWidget(this))
    , m_empty(new QLabel(tr("Choose a document on the left to see its pages."), this))
    , m_pageView(new PageView(this))
    , m_textView(new TextView(this))
{
    m_empty->setAlignment(Qt::AlignCenter);
    m_empty->setWordWrap(true);
    m_stack->addWidget(m_empty);
    m_stack->addWidget(m_pageView);
    m_stack->addWidget(m_textView);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(makeToolBar());
    layout->addWidget(m_stack, 1);
    layout->addWidget(m_legend);
    connect(m_pageView, &PageView::failed, this, &ReaderPane::failed);
    closeDocument();
}

QToolButton* ReaderPane::addButton(QWidget* bar, const QString& text, const QString& name)
{
    auto* button = new QToolButton(bar);
    button->setText(text);
    button->setAutoRaise(true);
    nameWidget(button, name);
    bar->layout()->addWidget(button);
    return button;
}

QWidget* ReaderPane::makeToolBar()
{
    auto* bar = new QWidget(this);
    auto* layout = new QHBoxLayout(bar);
    layout->setContentsMargins(8, 4, 8, 4);
    m_contents = new QComboBox(bar);
    m_contents->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_contents->setMinimumContentsLength(16);
    nameWidget(m_contents, tr("Contents"));
    layout->addWidget(m_contents, 1);
    m_back = addButton(bar, tr("<"), tr("Previous page"));
    m_place = addButton(bar, QString(), tr("Go to a page"));
    m_forward = addButton(bar, tr(">"), tr("Next page"));
    auto* smaller = addButton(bar, tr("-"), tr("Smaller"));
    auto* fit = addButton(bar, tr("Fit"), tr("Fit the page to the width"));
    auto* larger = addButton(bar, tr("+"), tr("Larger"));
    m_kept = addButton(bar, tr("Kept"), tr("Show what was kept of each word"));
    m_kept->setCheckable(true);
    m_legend = new QLabel(this);
    m_legend->setContentsMargins(8, 4, 8, 4);
    m_legend->setWordWrap(true);

    connect(m_contents, &QComboBox::activated, this, [this](int row) {
        goToPage(m_contents->itemData(row).toULongLong());
    });
    connect(m_back, &QToolButton::clicked, this, &ReaderPane::previousPage);
    connect(m_forward, &QToolButton::clicked, this, &ReaderPane::nextPage);
    connect(m_place, &QToolButton::clicked, this, &ReaderPane::askForPage);
    connect(smaller, &QToolButton::clicked, this, &ReaderPane::zoomOut);
    connect(larger, &QToolButton::clicked, this, &ReaderPane::zoomIn);
    connect(fit, &QToolButton::clicked, this, &ReaderPane::fitWidth);
    connect(m_kept, &QToolButton::toggled, this, [this](bool on) {
        if (on && m_content)
            emit retentionWanted(documentId());
        else
            setRetention(nullptr);
    });
    return bar;
}

bool ReaderPane::isPrinted() const
{
    return m_content && m_content->record.kind == app::DocumentKind::Pdf;
}

app::RecordId ReaderPane::documentId() const
{
    return m_content ? m_content->record.id : 0;
}

void ReaderPane::closeDocument()
{
    m_content.reset();
    m_stack->setCurrentWidget(m_empty);
    for (QWidget* each : findChildren<QToolButton*>())
        each->setEnabled(false);
    m_contents->setEnabled(false);
    m_contents->clear();
    m_place->setText(tr("no page"));
    m_legend->hide();
}

void ReaderPane::showDocument(std::shared_ptr<const app::DocumentContent> content)
{
    m_content = std::move(content);
    m_retention.reset();
    m_kept->setChecked(false);
    m_citation.reset();
    m_page = 0;
    m_contents->clear();
    for (const app::OutlineEntry& entry : m_content->record.outline) {
        m_contents->addItem(QString(entry.level * 3, u' ') + QString::fromStdString(entry.title),
                            static_cast<qulonglong>(entry.pageIndex));
    }
    for (QWidget* each : findChildren<QToolButton*>())
        each->setEnabled(true);
    m_contents->setEnabled(m_contents->count() > 0);
    if (isPrinted())
        m_pageView->setDocument(QString::fromStdString(m_content->record.path.string()));
    m_stack->setCurrentWidget(isPrinted() ? static_cast<QWidget*>(m_pageView) : m_textView);
    showPage();
}

void ReaderPane::goToPage(std::size_t index)
{
    if (!m_content || index >= m_content->pages.size())
        return;
    m_page = index;
    m_citation.reset();
    showPage();
}

void ReaderPane::showCitation(const app::CitationRecord& citation)
{
    if (!m_content || citation.pageIndex >= m_content->pages.size())
        return;
    m_page = citation.pageIndex;
    m_citation = citation;
    showPage();
}

void ReaderPane::showPage()
{
    if (m_content->pages.empty())
        return;
    const app::PageRecord& page = m_content->pages[m_page];
    m_place->setText(pageText(page.label, page.index, m_content->pages.size()));
    m_back->setEnabled(m_page > 0);
    m_forward->setEnabled(m_page + 1 < m_content->pages.size());
    m_words.clear();
    const auto& outline = m_content->record.outline;
    for (std::size_t i = 0; i < outline.size() && outline[i].pageIndex <= m_page; ++i)
        m_contents->setCurrentIndex(static_cast<int>(i));
    if (isPrinted()) {
        m_pageView->showPage(m_page, QSizeF(page.width, page.height));
        emit wordsWanted(documentId(), m_page);
        return;
    }
    m_textView->showText(std::string_view(m_content->text)
                             .substr(page.range.begin, page.range.end - page.range.begin),
                         page.range.begin);
    m_textView->setRetention(m_retention.get());
    if (m_citation)
        m_textView->markCitation(m_citation->range);
}

void ReaderPane::setWords(app::RecordId documentId, std::size_t page,
                          const std::vector<app::ImportedWord>& words)
{
    if (documentId != this->documentId() || page != m_page || !isPrinted())
        return;
    m_words = words;
    if (m_retention)
        m_pageView->setRetentionMarks(layoutRetention(m_words, *m_retention));
    if (m_citation)
        m_pageView->setCitationMarks(layoutCitation(m_words, m_citation->range));
}

void ReaderPane::setRetention(std::shared_ptr<const app::RetentionView> retention)
{
    if (retention && (retention->documentId != documentId() || !m_kept->isChecked()))
        return;
    m_retention = std::move(retention);
    if (isPrinted())
        m_pageView->setRetentionMarks(m_retention ? layoutRetention(m_words, *m_retention)
                                                  : std::vector<PageMark>());
    else
        m_textView->setRetention(m_retention.get());
    updateLegend();
}

void ReaderPane::updateLegend()
{
    m_legend->setVisible(m_retention != nullptr);
    if (!m_retention)
        return;
    m_legend->setText(
        tr("Strong tint: kept strongly. Light tint: kept in part. No tint: let go. Measured against the "
           "word kept most (in %1 % of all layers and heads).")
            .arg(static_cast<double>(largestShare(*m_retention)) * 100, 0, 'f', 0));
}

void ReaderPane::askForPage()
{
    if (!m_content)
        return;
    bool accepted = false;
    const QString wanted =
        QInputDialog::getText(this, tr("Go to a page"),
                              tr("Label or number, 1 to %1:").arg(m_content->pages.size()),
                              QLineEdit::Normal, QString(), &accepted);
    if (!accepted)
        return;
    for (const app::PageRecord& page : m_content->pages) {
        if (QString::fromStdString(page.label).compare(wanted.trimmed(), Qt::CaseInsensitive) == 0) {
            goToPage(page.index);
            return;
        }
    }
    const qulonglong number = wanted.toULongLong();
    if (number >= 1 && number <= m_content->pages.size())
        goToPage(number - 1);
    else
        emit failed(tr("There is no page \"%1\" in this document.").arg(wanted));
}

void ReaderPane::zoomIn()
{
    m_pageView->setZoom(m_pageView->zoom() * 1.2);
    m_textView->zoomIn();
}

void ReaderPane::zoomOut()
{
    m_pageView->setZoom(m_pageView->zoom() / 1.2);
    m_textView->zoomOut();
}

void ReaderPane::fitWidth()
{
    m_pageView->setZoom(1);
}

void ReaderPane::nextPage()
{
    goToPage(m_page + 1);
}

void ReaderPane::previousPage()
{
    if (m_page > 0)
        goToPage(m_page - 1);
}

void ReaderPane::toggleKept()
{
    if (m_content)
        m_kept->toggle();
}

bool ReaderPane::hasCitationMark() const
{
    return isPrinted() ? m_pageView->citationMarkCount() > 0 : m_textView->hasCitationMark();
}

bool ReaderPane::isPageDrawn() const
{
    return !isPrinted() || m_pageView->isDrawn();
}

} // namespace ui
