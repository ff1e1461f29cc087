#include "ui/model_menu.h"

#include "ui/accessible.h"
#include "ui/text_format.h"

#include <QActionGroup>
#include <QFileDialog>

namespace ui {

ModelMenu::ModelMenu(QWidget* parent)
    : QMenu(tr("&Model"), parent)
{
    setToolTipsVisible(true);
    setModels({}, {});
}

void ModelMenu::setModels(const std::vector<app::FoundModel>& models,
                          const std::filesystem::path& chosen)
{
    clear();
    auto* group = new QActionGroup(this);
    QAction* own = addAction(tr("&Epitome's own reader"));
    own->setCheckable(true);
    own->setChecked(chosen.empty());
    own->setToolTip(tr("A small trained reader, which answers questions by quoting: a page or two "
                       "are read whole, more in windows."));
    group->addAction(own);
    connect(own, &QAction::triggered, this, [this] { emit modelChosen({}); });
    bool listed = false;
    for (const app::FoundModel& model : models) {
        const QString path = QString::fromStdString(model.info.path.string());
        QAction* action = addAction(QStringLiteral("%1 (%2, %3)")
                                        .arg(plainLabel(QString::fromStdString(model.info.name)),
                                             QString::fromStdString(model.info.fileType),
                                             bytesText(model.info.fileBytes)));
        action->setCheckable(true);
        action->setEnabled(model.info.supported);
        action->setToolTip(plainToolTip(
            model.info.supported ? path : QString::fromStdString(model.info.unsupportedReason)));
        const bool isChosen = chosen == model.info.path;
        action->setChecked(isChosen);
        listed = listed || isChosen;
        group->addAction(action);
        connect(action, &QAction::triggered, this, [this, path] { emit modelChosen(path); });
    }
    if (!listed && !chosen.empty()) {
        QAction* action = addAction(plainLabel(QString::fromStdString(chosen.filename().string())));
        action->setCheckable(true);
        action->setChecked(true);
        group->addAction(action);
    }
    addSeparator();
    connect(addAction(tr("Choose a &file...")), &QAction::triggered, this, &ModelMenu::chooseFile);
    connect(addAction(tr("&Look for models again")), &QAction::triggered, this,
            &ModelMenu::rescanRequested);
}

void ModelMenu::chooseFile()
{
    const QString path = QFileDialog::getOpenFileName(parentWidget(), tr("Choose a model"), {},
                                                      tr("GGUF models (*.gguf);;All files (*)"));
    if (!path.isEmpty())
        emit modelChosen(path);
}

} // namespace ui
