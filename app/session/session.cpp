#include "app/session/session.h"

#include "app/documents/import_worker.h"
#include "app/jobs/model_places.h"
#include "engine/trace/process_memory.h"

#include <cstring>

namespace app {

Session::Session(const std::filesystem::path& dataDirectory, const engine::LoadOptions& options,
                 std::filesystem::path program)
    : m_dataDirectory(dataDirectory)
    , m_program(std::move(program))
{
    // Opened here, so that a directory in use is an error of the constructor, and then handed over.
    auto library = Library::open(dataDirectory);
    m_readOnly = library->readOnly();
    m_notice = QString::fromStdString(library->notice());
    m_model = movedModel(library->setting("model").value_or(""));
    auto handOver = std::make_shared<std::unique_ptr<Library>>(std::move(library));
    m_library = std::make_unique<LibraryThread>([handOver] { return std::move(*handOver); });
    m_engine =
        std::make_unique<EngineThread>([options] { return std::make_unique<EngineRoom>(options); });
    m_imports = std::make_unique<TaskThread<NoState>>([] { return std::make_unique<NoState>(); });
    refresh();
    startNextJob();
}

Session::~Session()
{
    m_jobStop.request_stop();
    m_answerStop.request_stop();
    m_importStop.request_stop();
    // The engine and the imports wait for the library, so it ends last.
    m_imports.reset();
    m_engine.reset();
    m_library.reset();
}

void Session::toUi(std::function<void()> work)
{
    QMetaObject::invokeMethod(this, std::move(work), Qt::QueuedConnection);
}

void Session::reportError(const std::string& sentence)
{
    toUi([this, sentence] { emit failed(QString::fromStdString(sentence)); });
}

void Session::onLibrary(std::function<void(Library&)> work)
{
    onLibrary(std::move(work), [] {});
}

void Session::onLibrary(std::function<void(Library&)> work, std::function<void()> refused)
{
    m_library->post([this, work = std::move(work), refused = std::move(refused)](Library& library) {
        try {
            work(library);
        } catch (const std::bad_alloc&) {
            reportError("There is not enough memory for this. Close other programs and try again.");
            toUi(refused);
        } catch (const std::exception& error) {
            reportError(error.what());
            toUi(refused);
        }
    });
}

void Session::emitRows(Library& library)
{
    std::vector<DocumentRow> rows;
    const auto contexts = library.contexts();
    const auto jobs = library.jobs();
    for (const DocumentRecord& document : library.documents()) {
        DocumentRow row{document, std::nullopt, std::nullopt};
        for (const ContextRecord& context : contexts) {
            if (context.documentId == document.id && context.state == ContextState::Ready &&
                !row.context)
                row.context = context;
        }
        for (const JobRecord& job : jobs) {
            if (job.documentId == document.id && job.state != JobState::Done &&
                job.state != JobState::Cancelled)
                row.job = job;
        }
        rows.push_back(std::move(row));
    }
    toUi([this, rows = std::move(rows)] { emit rowsChanged(rows); });
}

void Session::refresh()
{
    onLibrary([this](Library& library) { emitRows(library); });
}

void Session::importFiles(const QStringList& paths)
{
    for (const QString& path : paths) {
        m_imports->post([this, file = std::filesystem::path(path.toStdString()),
                         model = m_model](NoState&) { importOne(file, model); });
    }
}

void Session::importOne(const std::filesystem::path& path, const std::filesystem::path& model)
{
    const QString name = QString::fromStdString(path.filename().string());
    try {
        const ImportedDocument document = importInWorker(
            m_program, path,
            [&](const ImportProgress& progress) {
                toUi([this, name, progress] {
                    emit importing(name, static_cast<int>(progress.pagesRead),
                                   static_cast<int>(progress.pagesTotal));
                });
            },
            m_importStop.get_token());
        const AddResult added = m_library->call([&](Library& library) {
            const AddResult result =
                library.addDocument(document, std::filesystem::absolute(path).lexically_normal());
            if (result.duplicateOf == 0 && document.pagesWithoutText < document.pages.size() &&
                document.wordCount > 0)
                enqueuePreparation(library, result.id, model);
            emitRows(library);
            return result;
        });
        toUi([this, added] {
            emit imported(added.id, added.duplicateOf != 0);
            startNextJob();
        });
    } catch (const engine::Error& error) {
        if (error.code() != engine::ErrorCode::Cancelled)
            reportError(error.what());
        toUi([this, name] { emit importing(name, -1, -1); });
    } catch (const std::exception& error) {
        reportError("\"" + name.toStdString() + "\" could not be added. " + error.what());
        toUi([this, name] { emit importing(name, -1, -1); });
    }
}

void Session::removeDocument(RecordId documentId)
{
    // Nobody needs the rest of what is at work on it.
    if (documentId == m_runningDocument) {
        m_stopReason = JobState::Cancelled;
        m_jobStop.request_stop();
    }
    if (documentId == m_askedDocument)
        m_answerStop.request_stop();
    onLibrary([this, documentId](Library& library) {
        library.removeDocument(documentId);
        emitRows(library);
    });
    m_engine->post([this, documentId](EngineRoom& room) {
        if (!room.openContext() || room.openContext()->record.documentId != documentId)
            return;
        room.setOpenContext({});
        publishMemory(room);
    });
}

void Session::openDocument(RecordId documentId)
{
    onLibrary([this, documentId](Library& library) {
        auto content = std::make_shared<DocumentContent>();
        content->record = library.document(documentId);
        content->text = library.text(documentId);
        content->pages = library.pages(documentId);
        toUi([this, content] { emit documentOpened(content); });
    });
}

void Session::requestWords(RecordId documentId, std::size_t pageIndex)
{
    onLibrary([this, documentId, pageIndex](Library& library) {
        auto words = library.words(documentId, pageIndex);
        toUi([this, documentId, pageIndex, words = std::move(words)] {
            emit wordsReady(documentId, pageIndex, words);
        });
    });
}

void Session::requestRetention(RecordId documentId)
{
    onLibrary([this, documentId](Library& library) {
        const ContextRecord record = chooseContext(library, documentId, 0);
        const auto header = library.readSegment(record.id, 0);
        const auto info = engine::readContextInfo(std::span<const std::byte>(header));
        auto view = std::make_shared<RetentionView>();
        view->documentId = documentId;
        view->ranges = engine::readTokenRanges(header);
        const auto blob = library.contextBlob(record.id, "retention");
        std::vector<std::uint16_t> counts(blob ? blob->size() / sizeof(std::uint16_t) : 0);
        if (!counts.empty())
            std::memcpy(counts.data(), blob->data(), counts.size() * sizeof(std::uint16_t));
        const auto cells = static_cast<float>(info.layers * info.kvHeads);
        for (const std::uint16_t count : counts)
            view->shares.push_back(static_cast<float>(count) / cells);
        if (view->shares.size() != view->ranges.size())
            throw engine::Error(
                engine::ErrorCode::Damaged,
                "The record of what was kept is missing. Prepare the document again.");
        toUi([this, view] { emit retentionReady(view); });
    });
}

void Session::search(const QString& query)
{
    onLibrary([this, query](Library& library) {
        auto hits = library.search(query.toStdString());
        toUi([this, query, hits = std::move(hits)] { emit searchReady(query, hits); });
    });
}

void Session::requestModels()
{
    // On the import thread: opening every file in the model folders may take a while.
    m_imports->post([this](NoState&) {
        auto models = findModels(m_dataDirectory);
        toUi([this, models = std::move(models)] { emit modelsReady(models); });
    });
}

void Session::chooseModel(const std::filesystem::path& path)
{
    m_model = path;
    onLibrary([path](Library& library) { library.setSetting("model", path.string()); });
}

void Session::publishMemory(EngineRoom& room)
{
    MemoryStatus status;
    status.weights = room.weightBytes();
    status.context = room.contextBytes();
    status.process = engine::residentBytes();
    status.device = QString::fromStdString(room.deviceSentence());
    toUi([this, status] { emit memoryChanged(status); });
}

} // namespace app
