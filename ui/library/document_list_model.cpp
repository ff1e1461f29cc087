#include "ui/library/document_list_model.h"

#include "ui/accessible.h"
#include "ui/text_format.h"

#include <algorithm>

namespace ui {

int DocumentListModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : static_cast<int>(m_rows.size());
}

QVariant DocumentListModel::data(const QModelIndex& index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid))
        return {};
    const app::DocumentRow& row = m_rows[static_cast<std::size_t>(index.row())];
    const app::RecordId id = row.document.id;
    const QString title = QString::fromStdString(row.document.title);
    const QString state = documentStateText(row, m_progress.value(id).text);
    switch (role) {
    case Qt::DisplayRole:
        return title;
    case Qt::ToolTipRole:
        return plainToolTip(title + QStringLiteral("\n") + state);
    case Qt::AccessibleTextRole:
        return title + QStringLiteral("\n") + state;
    case IdRole:
        return QVariant::fromValue(static_cast<qlonglong>(id));
    case StateRole:
        return state;
    case ProgressRole:
        return row.job && row.job->state == app::JobState::Running ? m_progress.value(id).fraction
                                                                   : -1.0;
    default:
        return {};
    }
}

void DocumentListModel::setRows(std::vector<app::DocumentRow> rows)
{
    // The text of an ended job must not be that of the next one.
    for (const app::DocumentRow& row : rows) {
        if (!row.job || row.job->state != app::JobState::Running)
            m_progress.remove(row.document.id);
    }
    const bool sameDocuments = std::ranges::equal(
        rows, m_rows, {}, [](const auto& row) { return row.document.id; },
        [](const auto& row) { return row.document.id; });
    if (sameDocuments) {
        // The selection and the scroll position stay where they are.
        m_rows = std::move(rows);
        if (!m_rows.empty())
            emit dataChanged(index(0), index(rowCount() - 1));
        return;
    }
    beginResetModel();
    m_rows = std::move(rows);
    endResetModel();
}

void DocumentListModel::setProgress(app::RecordId documentId, const QString& text, double fraction)
{
    m_progress[documentId] = {text, fraction};
    const QModelIndex changed = indexOf(documentId);
    if (changed.isValid())
        emit dataChanged(changed, changed);
}

const app::DocumentRow* DocumentListModel::row(app::RecordId documentId) const
{
    const QModelIndex index = indexOf(documentId);
    return index.isValid() ? &m_rows[static_cast<std::size_t>(index.row())] : nullptr;
}

QModelIndex DocumentListModel::indexOf(app::RecordId documentId) const
{
    const auto found = std::ranges::find(
        m_rows, documentId, [](const app::DocumentRow& row) { return row.document.id; });
    return found == m_rows.end() ? QModelIndex() : index(static_cast<int>(found - m_rows.begin()));
}

} // namespace ui
