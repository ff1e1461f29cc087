#pragma once

#include "app/session/session.h"

#include <QMainWindow>

class QLabel;
class QSettings;
class QSplitter;

namespace ui {

class ConversationPane;
class LibraryPane;
class MessageBar;
class ModelMenu;
class ReaderPane;

/// The frame: three panes, menus and the status bar, and the wires between them and the session.
class MainWindow final : public QMainWindow
{
    Q_OBJECT
public:
    /// `session` outlives the window. `sample` is the sample document, empty if there is none.
    MainWindow(app::Session& session, QString sample, QWidget* parent = nullptr);

    void restoreLayout(const QSettings& settings);
    void saveLayout(QSettings& settings) const;

    LibraryPane& library() { return *m_library; }
    ReaderPane& reader() { return *m_reader; }
    ConversationPane& conversation() { return *m_conversation; }
    MessageBar& messages() { return *m_messages; }

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void makeMenus();
    void makeDocumentMenu();
    void connectPanes();
    void connectSession();
    void connectAnswers();
    void showRows(const std::vector<app::DocumentRow>& rows);
    void showMemory(const app::MemoryStatus& status);
    void showSearchHits(const QString& query, const std::vector<app::SearchHit>& hits);
    void openFiles();
    void openSample();
    void removeSelected();
    void showShortcuts();
    void updateDocumentActions();
    void updateHint();
    const app::DocumentRow* selectedRow() const;

    app::Session& m_session;
    QString m_sample;
    LibraryPane* m_library;
    ReaderPane* m_reader;
    ConversationPane* m_conversation;
    MessageBar* m_messages;
    QSplitter* m_splitter;
    QLabel* m_memory;
    QLabel* m_device;
    ModelMenu* m_models = nullptr;
    QMenu* m_documentMenu = nullptr;
    QAction* m_prepare = nullptr;
    QAction* m_prepareWith = nullptr;
    QAction* m_pause = nullptr;
    QAction* m_resume = nullptr;
    QAction* m_cancel = nullptr;
    QAction* m_remove = nullptr;
    app::RecordId m_pendingOpen = 0; // a search hit to go to once its document is open
    std::size_t m_pendingPage = 0;
};

} // namespace ui
