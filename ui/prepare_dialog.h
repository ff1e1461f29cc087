#pragma once

#include "app/session/session.h"

#include <QDialog>

class QComboBox;
class QLabel;
class QLineEdit;
class QSpinBox;

namespace ui {

/// Asks how a document is to be prepared: method, share to keep, storage, pages that stay whole.
class PrepareDialog final : public QDialog
{
    Q_OBJECT
public:
    explicit PrepareDialog(const QString& title, QWidget* parent = nullptr);

    app::PrepareChoice choice() const;

private:
    void showMethod();

    QComboBox* m_method;
    QLabel* m_description;
    QSpinBox* m_keep; // percent
    QComboBox* m_store;
    QLineEdit* m_pages;
};

} // namespace ui
