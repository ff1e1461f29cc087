#include "ui/main_window.h"

#include "ui/conversation/conversation_pane.h"
#include "ui/library/document_list_model.h"
#include "ui/library/library_pane.h"
#include "ui/message_bar.h"
#include "ui/model_menu.h"
#include "ui/prepare_dialog.h"
#include "ui/reader/reader_pane.h"
#include "ui/text_format.h"

#include <QDragEnterEvent>
#include <QFileDialog>
#include <QLabel>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSplitter>
#include <QStatusBar>
#include <QVBoxLayout>

#include <functional>
#include <utility>

namespace ui {

MainWindow::MainWindow(app::Session& session, QString sample, QWidget* parent)
    : QMainWindow(parent)
    , m_session(session)
    , m_sample(std::move(sample))
    , m_library(new LibraryPane(this))
    , m_reader(new ReaderPane(this))
    , m_conversation(new ConversationPane(this))
    , m_messages(new MessageBar(this))
    , m_splitter(new QSplitter(this))
    , m_memory(new QLabel(this))
    , m_device(new QLabel(this))
{
    setWindowTitle(tr("Epitome"));
    setAcceptDrops(true);
    m_library->setSampleAvailable(!m_sample.isEmpty());
    for (QWidget* pane : {static_cast<QWidget*>(m_library), static_cast<QWidget*>(m_reader),
                          static_cast<QWidget*>(m_conversation)})
        m_splitter->addWidget(pane);
    m_splitter->setStretchFactor(1, 1);
    m_splitter->setChildrenCollapsible(false);
    m_splitter->setSizes({290, 720, 430});
    auto* centre = new QWidget(this);
    auto* layout = new QVBoxLayout(centre);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(m_messages);
    layout->addWidget(m_splitter, 1);
    setCentralWidget(centre);
    statusBar()->setContentsMargins(8, 0, 0, 0);
    statusBar()->addWidget(m_memory, 1);
    statusBar()->addPermanentWidget(m_device);
    m_memory->setText(tr("Everything stays on this computer."));
    makeMenus();
    makeDocumentMenu();
    connectPanes();
    connectSession();
    connectAnswers();
    updateDocumentActions();
    if (!m_session.notice().isEmpty())
        m_messages->showSentence(m_session.notice());
    m_session.requestModels();
    m_session.refresh();
}

void MainWindow::makeMenus()
{
    QMenu* file = menuBar()->addMenu(tr("&File"));
    file->addAction(tr("&Open..."), QKeySequence::Open, this, &MainWindow::openFiles);
    if (!m_sample.isEmpty())
        file->addAction(tr("Read the &sample document"), this, &MainWindow::openSample);
    file->addSeparator();
    file->addAction(tr("&Quit"), QKeySequence::Quit, this, &QWidget::close);

    m_documentMenu = menuBar()->addMenu(tr("&Document"));

    QMenu* view = menuBar()->addMenu(tr("&View"));
    view->addAction(tr("&Find in the library"), QKeySequence::Find, m_library,
                    &LibraryPane::focusSearch);
    view->addAction(tr("&Go to a page..."), QKeySequence(Qt::CTRL | Qt::Key_G), m_reader,
                    &ReaderPane::askForPage);
    view->addAction(tr("&Next page"), QKeySequence(Qt::CTRL | Qt::Key_PageDown), m_reader,
                    &ReaderPane::nextPage);
    view->addAction(tr("&Previous page"), QKeySequence(Qt::CTRL | Qt::Key_PageUp), m_reader,
                    &ReaderPane::previousPage);
    view->addAction(tr("&Larger"), QKeySequence::ZoomIn, m_reader, &ReaderPane::zoomIn);
    view->addAction(tr("&Smaller"), QKeySequence::ZoomOut, m_reader, &ReaderPane::zoomOut);
    view->addAction(tr("Fit to the &width"), QKeySequence(Qt::CTRL | Qt::Key_0), m_reader,
                    &ReaderPane::fitWidth);
    view->addAction(tr("Show what was &kept"), QKeySequence(Qt::CTRL | Qt::Key_K), m_reader,
                    &ReaderPane::toggleKept);

    QMenu* conversation = menuBar()->addMenu(tr("&Conversation"));
    conversation->addAction(tr("&New conversation"), QKeySequence::New, m_conversation,
                            &ConversationPane::newConversation);
    conversation->addAction(tr("&Stop the answer"), QKeySequence(Qt::Key_Escape), this,
                            [this] { m_session.stopAnswer(); });
    m_models = new ModelMenu(this);
    menuBar()->addMenu(m_models);
    QMenu* help = menuBar()->addMenu(tr("&Help"));
    help->addAction(tr("&Keyboard shortcuts"), QKeySequence::HelpContents, this,
                    &MainWindow::showShortcuts);
}

void MainWindow::makeDocumentMenu()
{
    const auto job = [this](void (app::Session::*act)(app::RecordId)) {
        return [this, act] {
            const app::DocumentRow* row = selectedRow();
            if (row != nullptr && row->job)
                std::invoke(act, m_session, row->job->id);
        };
    };
    m_prepare = m_documentMenu->addAction(tr("&Prepare (again)"), this, [this] {
        if (selectedRow() != nullptr)
            m_session.prepare(selectedRow()->document.id);
    });
    m_prepareWith = m_documentMenu->addAction(tr("Prepare &with..."), this, [this] {
        if (selectedRow() == nullptr)
            return;
        // Copied, because the rows may change while the dialog is open.
        const app::RecordId id = selectedRow()->document.id;
        PrepareDialog dialog(QString::fromStdString(selectedRow()->document.title), this);
        if (dialog.exec() == QDialog::Accepted)
            m_session.prepare(id, dialog.choice());
    });
    m_pause = m_documentMenu->addAction(tr("P&ause"), this, job(&app::Session::pauseJob));
    m_resume = m_documentMenu->addAction(tr("&Resume"), this, job(&app::Session::resumeJob));
    m_cancel = m_documentMenu->addAction(tr("&Cancel"), this, job(&app::Session::cancelJob));
    m_documentMenu->addSeparator();
    m_remove = m_documentMenu->addAction(tr("Re&move..."), this, &MainWindow::removeSelected);
    connect(m_documentMenu, &QMenu::aboutToShow, this, &MainWindow::updateDocumentActions);
}

const app::DocumentRow* MainWindow::selectedRow() const
{
    return m_library->model().row(m_library->selectedDocument());
}

void MainWindow::updateDocumentActions()
{
    const app::DocumentRow* row = selectedRow();
    const bool writable = row != nullptr && !m_session.readOnly();
    const app::JobState state = row != nullptr && row->job ? row->job->state : app::JobState::Done;
    const bool active = state == app::JobState::Waiting || state == app::JobState::Running;
    m_reader->setKeptAvailable(row != nullptr && row->context.has_value());
    m_prepare->setEnabled(writable && !active && state != app::JobState::Paused &&
                          row->document.words > 0);
    m_prepareWith->setEnabled(m_prepare->isEnabled());
    m_pause->setEnabled(writable && active);
    m_resume->setEnabled(writable && state == app::JobState::Paused);
    m_cancel->setEnabled(writable && (active || state == app::JobState::Paused));
    m_remove->setEnabled(writable);
}

void MainWindow::openFiles()
{
    m_session.importFiles(QFileDialog::getOpenFileNames(
        this, tr("Add documents"), {},
        tr("Documents (*.pdf *.epub *.txt *.md *.markdown);;All files (*)")));
}

void MainWindow::openSample()
{
    m_session.importFiles({m_sample});
}

void MainWindow::removeSelected()
{
    const app::DocumentRow* row = selectedRow();
    if (row == nullptr)
        return;
    // Copied, because the rows may change while the question is open.
    const app::RecordId id = row->document.id;
    QMessageBox question(QMessageBox::Question, tr("Remove the document"),
                         tr("Remove \"%1\" with what was prepared of it and its conversations? The "
                            "file itself stays "
                            "where it is.")
                             .arg(QString::fromStdString(row->document.title)),
                         QMessageBox::Cancel, this);
    question.setTextFormat(Qt::PlainText);
    const QPushButton* remove = question.addButton(tr("Remove"), QMessageBox::DestructiveRole);
    question.setDefaultButton(QMessageBox::Cancel);
    question.exec();
    if (question.clickedButton() != remove)
        return;
    setWindowTitle(tr("Epitome"));
    m_reader->closeDocument();
    m_conversation->setDocument(0, false);
    m_session.removeDocument(id);
}

void MainWindow::showShortcuts()
{
    QString text;
    for (const QAction* menu : menuBar()->actions()) {
        for (const QAction* action : menu->menu()->actions()) {
            if (!action->shortcut().isEmpty())
                text += QStringLiteral("%1: %2\n")
                            .arg(action->shortcut().toString(QKeySequence::NativeText),
                                 action->text().remove(u'&').remove(QStringLiteral("...")));
        }
    }
    QMessageBox::information(this, tr("Keyboard shortcuts"),
                             text + tr("Enter: send the question\nShift+Enter: new line"));
}

void MainWindow::showMemory(const app::MemoryStatus& status)
{
    m_memory->setText(
        tr("Memory: reader %1 · document %2 · program %3")
            .arg(bytesText(status.weights), bytesText(status.context), bytesText(status.process)));
    m_device->setText(status.device);
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event)
{
    if (event->mimeData()->hasUrls())
        event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event)
{
    QStringList paths;
    for (const QUrl& url : event->mimeData()->urls()) {
        if (url.isLocalFile())
            paths.push_back(url.toLocalFile());
    }
    event->acceptProposedAction();
    if (m_session.readOnly())
        m_messages->showSentence(tr("The library can only be read, so nothing can be added."));
    else
        m_session.importFiles(paths);
}

void MainWindow::restoreLayout(const QSettings& settings)
{
    if (!restoreGeometry(settings.value(QStringLiteral("window/geometry")).toByteArray()))
        resize(1440, 900);
    m_splitter->restoreState(settings.value(QStringLiteral("window/splitter")).toByteArray());
}

void MainWindow::saveLayout(QSettings& settings) const
{
    settings.setValue(QStringLiteral("window/geometry"), saveGeometry());
    settings.setValue(QStringLiteral("window/splitter"), m_splitter->saveState());
}

} // namespace ui
