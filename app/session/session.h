#pragma once

#include "app/documents/imported_document.h"
#include "app/jobs/models.h"
#include "app/session/engine_room.h"
#include "app/session/library_room.h"
#include "app/session/prepare_runner.h"

#include <QObject>
#include <QString>
#include <QStringList>

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

namespace app {

/// How a person wants a document to be prepared.
struct PrepareChoice
{
    std::string method; // empty: see usualPreparation()
    double keep = engine::PrepareOptions{}.keep;
    engine::KvType store = engine::PrepareOptions{}.store;
    std::string pages; // kept whole, for instance "1-3, 7"; empty: none
};

/// A line of the library list: the document, what has been prepared of it and the job at work on
/// it.
struct DocumentRow
{
    DocumentRecord document;
    std::optional<ContextRecord> context; // the newest ready one
    std::optional<JobRecord> job;         // an unfinished or failed one
};

/// Everything the reading pane needs of a document but its words.
struct DocumentContent
{
    DocumentRecord record;
    std::string text;
    std::vector<PageRecord> pages;
};

/// What the words of a document's pages kept: share of cells per token, with the tokens' byte
/// ranges.
struct RetentionView
{
    RecordId documentId = 0;
    std::vector<ByteRange> ranges;
    std::vector<float> shares;
};

struct MemoryStatus
{
    std::uint64_t weights = 0;
    std::uint64_t context = 0;
    std::uint64_t process = 0;
    QString device;
};

/// The window's side of all services. Lives in the UI thread; every function returns at once and
/// the results come as signals in the same thread. A library thread owns the store, an engine
/// thread the model, an import thread waits for worker processes.
class Session final : public QObject
{
    Q_OBJECT
public:
    /// Opens the library and looks for unfinished jobs. Throws engine::Error (InUse, Damaged, ...).
    Session(const std::filesystem::path& dataDirectory, const engine::LoadOptions& options,
            std::filesystem::path program);
    ~Session() override;

    void refresh();
    void importFiles(const QStringList& paths);
    void prepare(RecordId documentId, const PrepareChoice& choice = {});
    void pauseJob(RecordId jobId);
    void resumeJob(RecordId jobId);
    void cancelJob(RecordId jobId);
    void removeDocument(RecordId documentId);

    void openDocument(RecordId documentId);
    void requestWords(RecordId documentId, std::size_t pageIndex);
    void requestRetention(RecordId documentId);
    void requestConversations(RecordId documentId);
    void openConversation(RecordId conversationId);
    void search(const QString& query);

    /// `conversationId` 0 starts a new conversation about the document.
    void ask(RecordId documentId, RecordId conversationId, const QString& question);
    void stopAnswer();

    void requestModels();
    /// The model that new preparations use; empty means the program's own for each text.
    void chooseModel(const std::filesystem::path& path);
    std::filesystem::path chosenModel() const { return m_model; }
    bool readOnly() const { return m_readOnly; }
    QString notice() const { return m_notice; }

signals:
    void rowsChanged(std::vector<app::DocumentRow> rows);
    void importing(QString file, int page, int pages);
    void imported(app::RecordId documentId, bool duplicate);
    void jobProgressed(app::RecordId documentId, QString text, double fraction);
    void documentOpened(std::shared_ptr<const app::DocumentContent> content);
    void wordsReady(app::RecordId documentId, qulonglong pageIndex,
                    std::vector<app::ImportedWord> words);
    void retentionReady(std::shared_ptr<const app::RetentionView> retention);
    void conversationsReady(app::RecordId documentId,
                            std::vector<app::ConversationRecord> conversations);
    void conversationOpened(app::RecordId conversationId, std::vector<app::MessageRecord> messages);
    void searchReady(QString query, std::vector<app::SearchHit> hits);
    void questionStored(app::RecordId conversationId, app::RecordId documentId);
    void answerGrew(app::RecordId conversationId, QString text);
    void answerFinished(app::RecordId conversationId, app::MessageRecord message);
    void modelsReady(std::vector<app::FoundModel> models);
    void memoryChanged(app::MemoryStatus status);
    /// A sentence for the user: something that was asked for did not happen.
    void failed(QString sentence);
    /// A sentence for the user about something that was done, but with a reservation.
    void noticed(QString sentence);
    /// The question could not be stored, so that no answer will come; failed() says why.
    void questionRefused();

private:
    struct Question;

    /// Runs `work` on the library thread; its errors become failed().
    void onLibrary(std::function<void(Library&)> work);
    /// The same; calls `refused` in the UI thread after an error.
    void onLibrary(std::function<void(Library&)> work, std::function<void()> refused);
    /// Runs `work` in the UI thread, unless the session has ended.
    void toUi(std::function<void()> work);
    void reportError(const std::string& sentence);
    void emitRows(Library& library);
    void importOne(const std::filesystem::path& path, const std::filesystem::path& model);
    static void enqueuePreparation(Library& library, RecordId documentId,
                                   const std::filesystem::path& model,
                                   const PrepareChoice& choice = {});
    bool claimJob(const JobRecord& job);
    void startNextJob();
    void runJob(EngineRoom& room, const JobRecord& job, const std::stop_token& stop);
    void endJob(JobRecord job, JobState state, const std::string& error);
    void answer(EngineRoom& room, const Question& question, const std::stop_token& stop);
    void openContextFor(EngineRoom& room, const Question& question);
    void publishMemory(EngineRoom& room);
    void setJobState(RecordId jobId, JobState state);

    struct NoState
    {};

    std::filesystem::path m_dataDirectory;
    std::filesystem::path m_program;
    std::filesystem::path m_model;
    bool m_readOnly = false;
    QString m_notice;
    RecordId m_runningJob = 0;
    RecordId m_runningDocument = 0;
    RecordId m_askedDocument = 0;
    JobState m_stopReason = JobState::Cancelled;
    std::stop_source m_jobStop;
    std::stop_source m_answerStop;
    std::stop_source m_importStop;
    // Last, in this order: their threads end before what their tasks use.
    std::unique_ptr<LibraryThread> m_library;
    std::unique_ptr<EngineThread> m_engine;
    std::unique_ptr<TaskThread<NoState>> m_imports;
};

} // namespace app
