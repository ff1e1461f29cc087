#pragma once

#include "app/session/session.h"

#include <QAbstractListModel>
#include <QHash>

namespace ui {

/// The documents of the library, newest first, with their state in words.
class DocumentListModel final : public QAbstractListModel
{
    Q_OBJECT
public:
    enum Role
    {
        IdRole = Qt::UserRole,
        StateRole,    // the second line
        ProgressRole, // 0..1 while a job works on it, else -1
    };

    using QAbstractListModel::QAbstractListModel;

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;

    void setRows(std::vector<app::DocumentRow> rows);
    /// The newest text of the job at work on a document.
    void setProgress(app::RecordId documentId, const QString& text, double fraction);

    /// Null when there is no such document.
    const app::DocumentRow* row(app::RecordId documentId) const;
    QModelIndex indexOf(app::RecordId documentId) const;

private:
    struct Progress
    {
        QString text;
        double fraction = 0;
    };

    std::vector<app::DocumentRow> m_rows;
    QHash<app::RecordId, Progress> m_progress;
};

} // namespace ui
