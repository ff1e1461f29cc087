#pragma once

#include "app/session/session.h"
#include "ui/main_window.h"

#include <QTemporaryDir>

#include <memory>

namespace tests {

/// A session in an empty data directory, with the real program for import workers, and a window on
/// it.
class WindowFixture
{
public:
    WindowFixture();

    app::Session& session() { return *m_session; }
    ui::MainWindow& window() { return *m_window; }
    QString folder() const { return m_folder.path(); }

    /// Closes everything and opens it again on the same data, as the next start of the program
    /// does.
    void restart();
    /// Sends the drop of one file to the window.
    void drop(const QString& path);
    /// State text of the only document in the library; empty without one.
    QString stateText();
    /// Waits until the only document is ready and open.
    bool waitUntilReady();
    /// Types a question, presses Enter and waits for the answer.
    bool ask(const QString& question);

private:
    QTemporaryDir m_folder;
    std::unique_ptr<app::Session> m_session;
    std::unique_ptr<ui::MainWindow> m_window;
};

} // namespace tests
