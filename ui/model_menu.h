#pragma once

#include "app/jobs/models.h"

#include <QMenu>

namespace ui {

/// The models on this computer. Those that cannot be used are shown with the reason and cannot be
/// chosen.
class ModelMenu final : public QMenu
{
    Q_OBJECT
public:
    explicit ModelMenu(QWidget* parent = nullptr);

    /// `chosen` is the file in use; empty means the program's own reader.
    void setModels(const std::vector<app::FoundModel>& models, const std::filesystem::path& chosen);

signals:
    /// Empty for the program's own reader.
    void modelChosen(QString path);
    void rescanRequested();

private:
    void chooseFile();
};

} // namespace ui
