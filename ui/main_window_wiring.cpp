// Which signal of which pane or of the session leads where.

#include "app/jobs/model_places.h"
#include "ui/accessible.h"
#include "ui/conversation/conversation_pane.h"
#include "ui/library/document_list_model.h"
#include "ui/library/library_pane.h"
#include "ui/main_window.h"
#include "ui/message_bar.h"
#include "ui/model_menu.h"
#include "ui/reader/reader_pane.h"
#include "ui/text_format.h"

#include <QMenu>

namespace ui {

void MainWindow::connectPanes()
{
    connect(m_library, &LibraryPane::openRequested, this, &MainWindow::openFiles);
    connect(m_library, &LibraryPane::sampleRequested, this, &MainWindow::openSample);
    connect(m_library, &LibraryPane::searchRequested, &m_session, &app::Session::search);
    connect(m_library, &LibraryPane::menuRequested, this,
            [this](QPoint position) { m_documentMenu->popup(position); });
    connect(m_library, &LibraryPane::documentSelected, this, [this](app::RecordId id) {
        updateDocumentActions();
        if (id == m_conversation->documentId())
            return;
        const app::DocumentRow* row = m_library->model().row(id);
        m_session.openDocument(id);
        m_conversation->setDocument(id, row != nullptr && row->context.has_value());
        updateHint();
        m_session.requestConversations(id);
    });
    connect(m_reader, &ReaderPane::wordsWanted, &m_session, &app::Session::requestWords);
    connect(m_reader, &ReaderPane::retentionWanted, &m_session, &app::Session::requestRetention);
    connect(m_reader, &ReaderPane::failed, m_messages, &MessageBar::showSentence);
    connect(m_conversation, &ConversationPane::citationsClicked, m_reader,
            &ReaderPane::showCitations);
    connect(m_conversation, &ConversationPane::asked, this,
            [this](app::RecordId conversation, const QString& question) {
                m_session.ask(m_conversation->documentId(), conversation, question);
            });
    connect(m_conversation, &ConversationPane::stopRequested, &m_session,
            &app::Session::stopAnswer);
    connect(m_conversation, &ConversationPane::conversationWanted, &m_session,
            &app::Session::openConversation);
    connect(m_models, &ModelMenu::modelChosen, this, [this](const QString& path) {
        m_session.chooseModel(path.toStdString());
        m_session.requestModels();
        m_messages->showSentence(
            path.isEmpty()
                ? tr("Documents that you prepare from now on are read with a reader of Epitome's "
                     "own, chosen by their length.")
                : tr("Documents that you prepare from now on are read with this model."));
    });
    connect(m_models, &ModelMenu::rescanRequested, &m_session, &app::Session::requestModels);
}

void MainWindow::connectSession()
{
    using app::Session;
    connect(&m_session, &Session::rowsChanged, this, &MainWindow::showRows);
    connect(&m_session, &Session::failed, m_messages, &MessageBar::showSentence);
    connect(&m_session, &Session::noticed, m_messages, &MessageBar::showSentence);
    connect(&m_session, &Session::questionRefused, m_conversation,
            &ConversationPane::abandonQuestion);
    connect(
        &m_session, &Session::importing, this, [this](const QString& file, int page, int pages) {
            m_library->setImportText(
                page < 0     ? QString()
                : pages == 0 ? tr("Importing %1, page %2").arg(file).arg(page)
                             : tr("Importing %1, page %2 of %3").arg(file).arg(page).arg(pages));
        });
    connect(&m_session, &Session::imported, this, [this](app::RecordId id, bool duplicate) {
        m_library->setImportText({});
        if (duplicate)
            m_messages->showSentence(tr("This document is already in the library."));
        if (!m_conversation->isAnswering())
            m_library->select(id);
    });
    connect(&m_session, &Session::jobProgressed, this,
            [this](app::RecordId id, const QString& text, double fraction) {
                m_library->model().setProgress(id, text, fraction);
            });
    connect(&m_session, &Session::documentOpened, this,
            [this](std::shared_ptr<const app::DocumentContent> content) {
                if (content->record.id != m_library->selectedDocument())
                    return;
                setWindowTitle(
                    tr("%1 - Epitome").arg(QString::fromStdString(content->record.title)));
                m_reader->showDocument(std::move(content));
                if (m_pendingOpen == m_reader->documentId())
                    m_reader->goToPage(m_pendingPage);
                m_pendingOpen = 0;
            });
    connect(&m_session, &Session::wordsReady, m_reader, &ReaderPane::setWords);
    connect(&m_session, &Session::retentionReady, m_reader, &ReaderPane::setRetention);
    connect(&m_session, &Session::searchReady, this, &MainWindow::showSearchHits);
    connect(&m_session, &Session::modelsReady, this,
            [this](const std::vector<app::FoundModel>& models) {
                m_models->setModels(models, m_session.chosenModel());
            });
    connect(&m_session, &Session::memoryChanged, this, &MainWindow::showMemory);
}

void MainWindow::connectAnswers()
{
    using app::Session;
    connect(&m_session, &Session::conversationsReady, this,
            [this](app::RecordId document, const std::vector<app::ConversationRecord>& all) {
                if (document == m_conversation->documentId())
                    m_conversation->setConversations(all);
            });
    connect(&m_session, &Session::conversationOpened, m_conversation,
            &ConversationPane::showConversation);
    connect(&m_session, &Session::questionStored, this,
            [this](app::RecordId conversation, app::RecordId document) {
                m_conversation->beginAnswer(conversation, document);
                m_session.requestConversations(document);
            });
    connect(&m_session, &Session::answerGrew, m_conversation, &ConversationPane::growAnswer);
    connect(&m_session, &Session::answerFinished, this,
            [this](app::RecordId, const app::MessageRecord& message) {
                m_conversation->finishAnswer(message);
            });
}

void MainWindow::showRows(const std::vector<app::DocumentRow>& rows)
{
    m_library->setRows(rows);
    const app::DocumentRow* row = selectedRow();
    if (row != nullptr)
        m_conversation->setReady(row->context.has_value());
    updateHint();
    updateDocumentActions();
}

/// The readers that come with the program can do little, and say so where they are asked.
void MainWindow::updateHint()
{
    const app::DocumentRow* row = selectedRow();
    const std::filesystem::path model =
        row != nullptr && row->context ? row->context->modelPath : std::filesystem::path();
    m_conversation->setHint(QString::fromStdString(app::readerLimits(model)));
}

void MainWindow::showSearchHits(const QString& query, const std::vector<app::SearchHit>& hits)
{
    if (hits.empty()) {
        m_messages->showSentence(tr("No page contains \"%1\".").arg(query));
        return;
    }
    auto* menu = new QMenu(plainLabel(tr("Pages that contain \"%1\"").arg(query)), this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    for (const app::SearchHit& hit : hits) {
        const app::DocumentRow* row = m_library->model().row(hit.documentId);
        if (row == nullptr)
            continue;
        QString snippet = QString::fromStdString(hit.snippet).simplified();
        snippet.remove(QChar(app::kSnippetMarkBegin)).remove(QChar(app::kSnippetMarkEnd));
        QAction* action = menu->addAction(
            plainLabel(tr("%1, p. %2: %3")
                           .arg(QString::fromStdString(row->document.title),
                                QString::fromStdString(hit.pageLabel), snippet.left(100))));
        connect(action, &QAction::triggered, this,
                [this, document = hit.documentId, page = hit.pageIndex] {
                    if (document == m_reader->documentId()) {
                        m_reader->goToPage(page);
                        return;
                    }
                    m_pendingOpen = document;
                    m_pendingPage = page;
                    m_library->select(document);
                });
    }
    menu->popup(m_library->mapToGlobal(QPoint(8, 40)));
}

} // namespace ui
