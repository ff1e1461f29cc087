#include "ui/reader/reader_pane.h"

#include "ui/accessible.h"
#include "ui/palette_tints.h"
#include "ui/reader/page_view.h"
#include "ui/reader/text_view.h"
#include "ui/text_format.h"

#include <QAbstractItemView>
#include <QComboBox>
#include <QHBoxLayout>
#include <QInputDialog>
#include <QLabel>
#include <QStackedWidget>
#include <QStyledItemDelegate>
#include <QToolButton>

#include <algorithm>
#include <iterator>

namespace ui {
namespace {

constexpr int kLevelRole = Qt::UserRole + 1;

/// An entry of the contents, moved in by its level.
class ContentsDelegate final : public QStyledItemDelegate
{
public:
    using QStyledItemDelegate::QStyledItemDelegate;

    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override
    {
        QStyleOptionViewItem moved = option;
        moved.rect.setLeft(option.rect.left() + 16 * index.data(kLevelRole).toInt());
        QStyledItemDelegate::paint(painter, moved, index);
    }
};

} // namespace

ReaderPane::ReaderPane(QWidget* parent)
    : QWidget(parent)
    , m_stack(new QStackedWidget(this))
    , m_empty(new QLabel(tr("The pages of the chosen document appear here."), this))
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
    m_bar = makeToolBar();
    layout->addWidget(m_bar);
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
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(4);
    m_contents = new QComboBox(bar);
    m_contents->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_contents->setMinimumContentsLength(12);
    m_contents->setPlaceholderText(tr("Contents"));
    m_contents->view()->setItemDelegate(new ContentsDelegate(m_contents));
    nameWidget(m_contents, tr("Contents"));
    layout->addWidget(m_contents, 1);
    layout->addSpacing(8);
    m_back = addButton(bar, QString(), tr("Previous page"));
    m_back->setArrowType(Qt::LeftArrow);
    m_place = addButton(bar, QString(), tr("Go to a page"));
    m_forward = addButton(bar, QString(), tr("Next page"));
    m_forward->setArrowType(Qt::RightArrow);
    layout->addSpacing(8);
    auto* smaller = addButton(bar, QStringLiteral("\u2212"), tr("Smaller"));
    auto* larger = addButton(bar, QStringLiteral("+"), tr("Larger"));
    auto* fit = addButton(bar, tr("Fit width"), tr("Fit the page to the width"));
    layout->addSpacing(8);
    m_kept = addButton(bar, tr("Kept"), tr("Show what was kept of each word"));
    m_kept->setCheckable(true);
    m_legend = new QLabel(this);
    m_legend->setContentsMargins(8, 6, 8, 6);
    m_legend->setWordWrap(true);
    connectToolBar(smaller, larger, fit);
    return bar;
}

void ReaderPane::connectToolBar(QToolButton* smaller, QToolButton* larger, QToolButton* fit)
{
    connect(m_contents, &QComboBox::activated, this,
            [this](int row) { goToPage(m_contents->itemData(row).toULongLong()); });
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
    m_bar->hide();
    m_contents->clear();
    m_legend->hide();
}

void ReaderPane::showDocument(std::shared_ptr<const app::DocumentContent> content)
{
    m_content = std::move(content);
    m_retention.reset();
    m_kept->setChecked(false);
    m_citations.clear();
    m_page = 0;
    m_contents->clear();
    for (const app::OutlineEntry& entry : m_content->record.outline) {
        m_contents->addItem(QString::fromStdString(entry.title),
                            static_cast<qulonglong>(entry.pageIndex));
        m_contents->setItemData(m_contents->count() - 1, entry.level, kLevelRole);
    }
    m_contents->setCurrentIndex(-1);
    m_bar->show();
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
    m_citations.clear();
    showPage();
}

void ReaderPane::showCitations(const std::vector<app::CitationRecord>& citations)
{
    if (!m_content || citations.empty() || citations.front().pageIndex >= m_content->pages.size())
        return;
    m_page = citations.front().pageIndex;
    m_citations.clear();
    for (const app::CitationRecord& citation : citations)
        m_citations.push_back(citation.range);
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
    showContentsPlace();
    if (isPrinted()) {
        m_pageView->showPage(m_page, QSizeF(page.width, page.height));
        emit wordsWanted(documentId(), m_page);
        return;
    }
    m_textView->showText(std::string_view(m_content->text)
                             .substr(page.range.begin, page.range.end - page.range.begin),
                         page.range.begin);
    m_textView->setRetention(m_retention.get());
    m_textView->markCitations(m_citations);
}

/// The entry that was chosen, else the first that begins on the page, else the last before it.
void ReaderPane::showContentsPlace()
{
    if (m_contents->currentIndex() >= 0 && m_contents->currentData().toULongLong() == m_page)
        return;
    const auto& outline = m_content->record.outline;
    int place = -1;
    for (std::size_t i = 0; i < outline.size() && outline[i].pageIndex <= m_page; ++i) {
        place = static_cast<int>(i);
        if (outline[i].pageIndex == m_page)
            break;
    }
    m_contents->setCurrentIndex(place);
}

void ReaderPane::setKeptAvailable(bool available)
{
    m_kept->setEnabled(available);
    if (!available)
        m_kept->setChecked(false);
}

void ReaderPane::setWords(app::RecordId documentId, std::size_t page,
                          const std::vector<app::ImportedWord>& words)
{
    if (documentId != this->documentId() || page != m_page || !isPrinted())
        return;
    m_words = words;
    if (m_retention)
        m_pageView->setRetentionMarks(layoutRetention(m_words, *m_retention));
    std::vector<PageMark> marks;
    for (const app::ByteRange range : m_citations)
        std::ranges::copy(layoutCitation(m_words, range), std::back_inserter(marks));
    m_pageView->setCitationMarks(std::move(marks));
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
    const auto swatch = [&](float share, const QString& words) {
        return QStringLiteral(
                   "<span style='background-color:%1; color:#000'>&nbsp;%2&nbsp;</span>&ensp;")
            .arg(onPaper(keptTint(palette(), share)).name(), words);
    };
    m_legend->setTextFormat(Qt::RichText);
    m_legend->setText(swatch(1, tr("kept strongly")) + swatch(kKeptInPart, tr("kept in part")) +
                      swatch(0.01F, tr("kept by few")) + swatch(0, tr("let go")) +
                      tr("Measured by the word that most heads kept (%1 % of them).")
                          .arg(static_cast<double>(largestShare(*m_retention)) * 100, 0, 'f', 0));
}

void ReaderPane::askForPage()
{
    if (!m_content)
        return;
    bool accepted = false;
    const QString wanted = QInputDialog::getText(
        this, tr("Go to a page"), tr("Label or number, 1 to %1:").arg(m_content->pages.size()),
        QLineEdit::Normal, QString(), &accepted);
    if (!accepted)
        return;
    for (const app::PageRecord& page : m_content->pages) {
        if (QString::fromStdString(page.label).compare(wanted.trimmed(), Qt::CaseInsensitive) ==
            0) {
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
    m_textView->zoom(1);
}

void ReaderPane::zoomOut()
{
    m_pageView->setZoom(m_pageView->zoom() / 1.2);
    m_textView->zoom(-1);
}

void ReaderPane::fitWidth()
{
    m_pageView->setZoom(1);
    m_textView->resetZoom();
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
    if (m_content && m_kept->isEnabled())
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
