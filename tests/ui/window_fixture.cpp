#include "tests/ui/window_fixture.h"

#include "ui/conversation/conversation_pane.h"
#include "ui/conversation/question_edit.h"
#include "ui/library/document_list_model.h"
#include "ui/library/library_pane.h"
#include "ui/reader/reader_pane.h"

#include <QCoreApplication>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QMimeData>
#include <QTest>
#include <QUrl>

namespace tests {
namespace {

constexpr int kPatience = 1'200'000; // milliseconds: slow, shared machines with sanitizers

} // namespace

WindowFixture::WindowFixture()
{
    restart();
}

void WindowFixture::restart()
{
    m_window.reset();
    m_session.reset();
    const std::string data = m_folder.filePath(QStringLiteral("data")).toStdString();
    m_session = std::make_unique<app::Session>(data, engine::LoadOptions{},
                                               std::string(BINARY_DIR) + "/epitome");
    m_session->chooseModel(std::string(BINARY_DIR) + "/resources/constructed-reader.gguf");
    m_window = std::make_unique<ui::MainWindow>(
        *m_session, QStringLiteral(BINARY_DIR "/resources/handbook.pdf"));
    m_window->resize(1440, 900);
    m_window->show();
}

void WindowFixture::drop(const QString& path)
{
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile(path)});
    // Qt drops only where a drag has entered before.
    QDragEnterEvent enter(QPoint(200, 200), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(m_window.get(), &enter);
    QDropEvent event(QPointF(200, 200), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QCoreApplication::sendEvent(m_window.get(), &event);
}

QString WindowFixture::stateText()
{
    ui::DocumentListModel& model = m_window->library().model();
    return model.rowCount() == 0
               ? QString()
               : model.data(model.index(0), ui::DocumentListModel::StateRole).toString();
}

bool WindowFixture::waitUntilReady()
{
    return QTest::qWaitFor(
        [this] {
            return stateText().contains(QStringLiteral("Ready")) &&
                   m_window->reader().documentId() != 0;
        },
        kPatience);
}

bool WindowFixture::ask(const QString& question)
{
    auto* edit = m_window->findChild<ui::QuestionEdit*>();
    edit->setPlainText(question);
    QTest::keyClick(edit, Qt::Key_Return);
    return m_window->conversation().isAnswering() &&
           QTest::qWaitFor([this] { return !m_window->conversation().isAnswering(); }, kPatience);
}

} // namespace tests
