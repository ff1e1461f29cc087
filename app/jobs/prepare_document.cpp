#include "app/jobs/prepare_document.h"

#include "app/jobs/bias_table_folder.h"
#include "app/jobs/prepare_record.h"

#include <chrono>

namespace app {
namespace {

using Clock = std::chrono::steady_clock;

/// The estimate is shown once this share of the work of this run is done.
constexpr double kShareForEstimate = 0.02;

class Reporter
{
public:
    Reporter(const std::function<void(const PrepareStatus&)>& onProgress)
        : m_onProgress(onProgress)
    {}

    void resumed(const engine::Preparation& preparation)
    {
        m_status.resumed = true;
        m_firstFraction = preparation.progress().fraction;
    }

    void report(const engine::Preparation& preparation)
    {
        m_status.progress = preparation.progress();
        m_status.elapsedSeconds = std::chrono::duration<double>(Clock::now() - m_start).count();
        const double done = m_status.progress.fraction - m_firstFraction;
        m_status.remainingSeconds =
            done < kShareForEstimate
                ? -1
                : m_status.elapsedSeconds * (1 - m_status.progress.fraction) / done;
        if (m_onProgress)
            m_onProgress(m_status);
    }

private:
    const std::function<void(const PrepareStatus&)>& m_onProgress;
    Clock::time_point m_start = Clock::now();
    PrepareStatus m_status;
    double m_firstFraction = 0;
};

/// Replays stored blocks; what cannot be used is dropped and done again. Returns how many were
/// used.
std::size_t resume(PrepareStorage& storage, RecordId contextId,
                   std::unique_ptr<engine::Preparation>& preparation,
                   const std::function<std::unique_ptr<engine::Preparation>()>& makeFresh)
{
    std::size_t used = 0;
    bool bad = false;
    storage.checkpoints(contextId, [&](std::span<const std::byte> bytes) {
        try {
            preparation->restore(bytes);
        } catch (const engine::Error&) {
            bad = true;
            return false;
        }
        ++used;
        return true;
    });
    if (bad) {
        // A piece may have been applied in part: start from nothing rather than from something
        // unknown.
        preparation.reset(); // two of them would need twice the memory
        preparation = makeFresh();
        used = 0;
    }
    storage.dropCheckpoints(contextId, used);
    return used;
}

/// Whether the first stored block is one of this preparation. It can only be thrown away
/// afterwards.
bool continues(PrepareStorage& storage, RecordId contextId, engine::Preparation& preparation)
{
    bool fits = true;
    storage.checkpoints(contextId, [&](std::span<const std::byte> bytes) {
        try {
            preparation.restore(bytes);
        } catch (const engine::Error&) {
            fits = false;
        }
        return false;
    });
    return fits;
}

void writeResult(PrepareStorage& storage, RecordId contextId, const engine::Context& context,
                 const std::string& ledger)
{
    const std::size_t segments = engine::segmentCount(context);
    for (std::size_t index = 0; index < segments; ++index)
        storage.writeSegment(contextId, index, engine::writeSegment(context, index));
    const auto retention = engine::retentionMap(context);
    storage.putBlob(contextId, "retention", std::as_bytes(std::span(retention)));
    storage.putBlob(contextId, "ledger", std::as_bytes(std::span(ledger)));
}

} // namespace

std::filesystem::path LibraryPrepareStorage::dataDirectory()
{
    return m_library.dataDirectory();
}

RecordId LibraryPrepareStorage::begin(const ContextRecord& record)
{
    for (const ContextRecord& each : m_library.contexts(record.documentId)) {
        if (each.state == ContextState::Preparing && each.modelHash == record.modelHash &&
            each.settings == record.settings)
            return each.id;
    }
    return m_library.beginContext(record);
}

void LibraryPrepareStorage::checkpoints(
    RecordId context, const std::function<bool(std::span<const std::byte>)>& visit)
{
    m_library.checkpoints(
        context, [&](std::size_t, std::span<const std::byte> bytes) { return visit(bytes); });
}

void LibraryPrepareStorage::appendCheckpoint(RecordId context, std::size_t index,
                                             std::span<const std::byte> bytes)
{
    m_library.appendCheckpoint(context, index, bytes);
}

void LibraryPrepareStorage::dropCheckpoints(RecordId context, std::size_t first)
{
    m_library.dropCheckpoints(context, first);
}

void LibraryPrepareStorage::writeSegment(RecordId context, std::size_t index,
                                         std::span<const std::byte> bytes)
{
    m_library.writeSegment(context, index, bytes);
}

void LibraryPrepareStorage::putBlob(RecordId context, std::string_view name,
                                    std::span<const std::byte> bytes)
{
    m_library.putContextBlob(context, name, bytes);
}

void LibraryPrepareStorage::finish(RecordId context, const ContextRecord& record)
{
    m_library.finishContext(context, record);
}

PreparedDocument prepareDocument(PrepareStorage& storage, RecordId documentId,
                                 const std::string& text,
                                 const std::shared_ptr<engine::LoadedModel>& model,
                                 const engine::PrepareOptions& options,
                                 const std::function<void(const PrepareStatus&)>& onProgress,
                                 const std::stop_token& stop)
{
    const auto tables = std::make_shared<BiasTableFolder>(storage.dataDirectory() / "tables");
    engine::PrepareOptions allOptions = options;
    allOptions.biasTables = tables;
    allOptions.headTable = engine::usualHeadTable(*model, options);
    const auto makeFresh = [&] {
        return std::make_unique<engine::Preparation>(model, text, allOptions);
    };
    Reporter reporter(onProgress);
    auto preparation = makeFresh();
    PreparedDocument prepared;
    prepared.record = makeContextRecord(documentId, *model, allOptions);
    prepared.contextId = storage.begin(prepared.record);
    if (tables->foundFrom()) {
        // An unfinished preparation that began to measure its own table goes on with that one.
        if (!continues(storage, prepared.contextId, *preparation))
            tables->withhold();
        preparation.reset();
        preparation = makeFresh();
    }
    std::size_t block = resume(storage, prepared.contextId, preparation, makeFresh);
    if (block > 0)
        reporter.resumed(*preparation);
    reporter.report(*preparation);
    for (bool more = preparation->progress().fraction < 1.0; more;) {
        more = preparation->advance(stop);
        storage.appendCheckpoint(prepared.contextId, block++, preparation->takeCheckpoint());
        reporter.report(*preparation);
    }
    const std::string ledger = ledgerJson(preparation->ledger());
    prepared.warnings = preparation->warnings();
    prepared.context = preparation->finish();
    prepared.biasTableFrom = tables->foundFrom();
    prepared.keptBiasTable = tables->hasKept();
    if (!tables->warning().empty())
        prepared.warnings.push_back(tables->warning());
    fillResult(prepared.record, engine::contextInfo(*prepared.context));
    writeResult(storage, prepared.contextId, *prepared.context, ledger);
    storage.finish(prepared.contextId, prepared.record);
    return prepared;
}

} // namespace app
