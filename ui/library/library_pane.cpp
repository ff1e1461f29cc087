#include "ui/library/library_pane.h"

#include "ui/accessible.h"
#include "ui/library/document_list_model.h"
#include "ui/library/document_row_delegate.h"

#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace ui {

LibraryPane::LibraryPane(QWidget* parent)
    : QWidget(parent)
    , m_model(new DocumentListModel(this))
    , m_filter(new QSortFilterProxyModel(this))
    , m_search(new QLineEdit(this))
    , m_list(new QListView(this))
    , m_importing(new QLabel(this))
    , m_stack(new QStackedWidget(this))
{
    m_filter->setSourceModel(m_model);
    m_filter->setFilterCaseSensitivity(Qt::CaseInsensitive);
    m_search->setPlaceholderText(tr("Search titles; Enter searches the texts"));
    m_search->setClearButtonEnabled(true);
    nameWidget(m_search, tr("Search the library"));
    m_list->setModel(m_filter);
    m_list->setItemDelegate(new DocumentRowDelegate(m_list));
    m_list->setContextMenuPolicy(Qt::CustomContextMenu);
    m_list->setUniformItemSizes(true);
    m_list->setAccessibleName(tr("Documents"));
    m_importing->setWordWrap(true);
    m_importing->setTextFormat(Qt::PlainText);
    m_importing->hide();
    m_stack->addWidget(m_list);
    m_stack->addWidget(makeEmptyState());

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(m_search);
    layout->addWidget(m_stack, 1);
    layout->addWidget(m_importing);

    connect(m_search, &QLineEdit::textChanged, this, &LibraryPane::filterTitles);
    connect(m_search, &QLineEdit::returnPressed, this, [this] {
        if (!m_search->text().trimmed().isEmpty())
            emit searchRequested(m_search->text());
    });
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, [this] {
        const QModelIndex current = m_list->currentIndex();
        if (m_filtering || !current.isValid())
            return;
        m_selected = current.data(DocumentListModel::IdRole).toLongLong();
        emit documentSelected(m_selected);
    });
    connect(m_list, &QWidget::customContextMenuRequested, this, [this](const QPoint& position) {
        // From the keyboard the position is not that of a row.
        const QModelIndex current = m_list->currentIndex();
        if (current.isValid())
            emit menuRequested(m_list->viewport()->mapToGlobal(
                m_list->indexAt(position).isValid() ? position
                                                    : m_list->visualRect(current).center()));
    });
}

QWidget* LibraryPane::makeEmptyState()
{
    auto* empty = new QWidget(this);
    auto* sentence = new QLabel(tr("Drop a PDF, EPUB, text or\nMarkdown file here."), empty);
    sentence->setWordWrap(true);
    sentence->setAlignment(Qt::AlignCenter);
    auto* open = new QPushButton(tr("Open..."), empty);
    nameWidget(open, tr("Choose files to add to the library"));
    m_sample = new QPushButton(tr("Read the sample document"), empty);
    nameWidget(m_sample, tr("Add Epitome's handbook to the library"));
    connect(open, &QPushButton::clicked, this, &LibraryPane::openRequested);
    connect(m_sample, &QPushButton::clicked, this, &LibraryPane::sampleRequested);
    auto* layout = new QVBoxLayout(empty);
    layout->addStretch(2);
    layout->addWidget(sentence);
    layout->addSpacing(12);
    layout->addWidget(open, 0, Qt::AlignCenter);
    layout->addSpacing(2);
    layout->addWidget(m_sample, 0, Qt::AlignCenter);
    layout->addStretch(3);
    return empty;
}

void LibraryPane::setRows(std::vector<app::DocumentRow> rows)
{
    m_stack->setCurrentIndex(rows.empty() ? 1 : 0);
    m_model->setRows(std::move(rows));
    if (m_selected != 0 && !m_model->indexOf(m_selected).isValid())
        m_selected = 0;
    restoreSelection();
}

/// Rows that come and go while one types never open another document.
void LibraryPane::filterTitles(const QString& text)
{
    m_filtering = true;
    m_filter->setFilterFixedString(text);
    m_filtering = false;
    restoreSelection();
}

void LibraryPane::restoreSelection()
{
    m_filtering = true;
    const QModelIndex index = m_filter->mapFromSource(m_model->indexOf(m_selected));
    if (index != m_list->currentIndex())
        m_list->setCurrentIndex(index);
    m_filtering = false;
}

void LibraryPane::setImportText(const QString& text)
{
    m_importing->setText(text);
    m_importing->setVisible(!text.isEmpty());
}

void LibraryPane::setSampleAvailable(bool available)
{
    m_sample->setVisible(available);
}

void LibraryPane::select(app::RecordId documentId)
{
    const QModelIndex index = m_filter->mapFromSource(m_model->indexOf(documentId));
    if (index.isValid()) {
        m_list->setCurrentIndex(index);
        return;
    }
    if (m_model->indexOf(documentId).isValid()) {
        m_search->clear(); // the filter hides it
        m_list->setCurrentIndex(m_filter->mapFromSource(m_model->indexOf(documentId)));
    }
}

void LibraryPane::focusSearch()
{
    m_search->setFocus();
    m_search->selectAll();
}

} // namespace ui
