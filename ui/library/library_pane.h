#pragma once

#include "app/session/session.h"

#include <QWidget>

class QLabel;
class QLineEdit;
class QListView;
class QPushButton;
class QSortFilterProxyModel;
class QStackedWidget;

namespace ui {

class DocumentListModel;

/// What the user has: a search field and the documents with their states.
class LibraryPane final : public QWidget
{
    Q_OBJECT
public:
    explicit LibraryPane(QWidget* parent = nullptr);

    DocumentListModel& model() { return *m_model; }
    void setRows(std::vector<app::DocumentRow> rows);
    /// Shows the text under the list while files are being read, nothing when empty.
    void setImportText(const QString& text);
    void setSampleAvailable(bool available);

    /// The document last chosen, also while the filter hides its row; 0 for none.
    app::RecordId selectedDocument() const { return m_selected; }
    void select(app::RecordId documentId);
    void focusSearch();

signals:
    void documentSelected(app::RecordId documentId);
    void openRequested();
    void sampleRequested();
    void searchRequested(QString query);
    void menuRequested(QPoint globalPosition);

private:
    QWidget* makeEmptyState();
    void filterTitles(const QString& text);
    void restoreSelection();

    DocumentListModel* m_model;
    QSortFilterProxyModel* m_filter;
    QLineEdit* m_search;
    QListView* m_list;
    QLabel* m_importing;
    QStackedWidget* m_stack;
    QPushButton* m_sample = nullptr;
    app::RecordId m_selected = 0;
    bool m_filtering = false;
};

} // namespace ui
