// The queue of preparations: one at a time, kept in the library, so that it survives the program.

#include "app/jobs/model_places.h"
#include "app/jobs/pinned_pages.h"
#include "app/session/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kProgressInterval = std::chrono::milliseconds(100);

QString remainingText(double seconds)
{
    if (seconds < 0)
        return {};
    if (seconds < 60)
        return QStringLiteral(", less than a minute left");
    return QStringLiteral(", about %1 min left").arg(std::lround(seconds / 60));
}

QString progressText(const PrepareStatus& status)
{
    return QStringLiteral("%1 %2 %%3")
        .arg(QString::fromStdString(status.progress.phase))
        .arg(status.progress.fraction * 100, 0, 'f', 1)
        .arg(remainingText(status.remainingSeconds));
}

/// "1-3, 7": its parts.
std::vector<std::string> namesOf(const std::string& pages)
{
    std::vector<std::string> names;
    for (const QString& part : QString::fromStdString(pages).split(u',', Qt::SkipEmptyParts)) {
        if (!part.trimmed().isEmpty())
            names.push_back(part.trimmed().toStdString());
    }
    return names;
}

} // namespace

void Session::enqueuePreparation(Library& library, RecordId documentId,
                                 const std::filesystem::path& model, const PrepareChoice& choice)
{
    const ModelAndMethod usual = usualPreparation({model, choice.method}, library.text(documentId));
    PrepareRequest request;
    request.documentId = documentId;
    request.modelPath = usual.model;
    request.options.method = usual.method;
    request.options.keep = choice.keep;
    request.options.store = choice.store;
    if (const auto names = namesOf(choice.pages); !names.empty())
        request.options.pinned = pinnedText(library.pages(documentId), names);
    JobRecord job;
    job.kind = "prepare";
    job.documentId = documentId;
    job.parameters = requestJson(request);
    library.enqueueJob(job);
}

void Session::prepare(RecordId documentId, const PrepareChoice& choice)
{
    onLibrary([this, documentId, choice, model = m_model](Library& library) {
        enqueuePreparation(library, documentId, model, choice);
        emitRows(library);
        toUi([this] { startNextJob(); });
    });
}

void Session::startNextJob()
{
    if (m_runningJob != 0 || m_readOnly)
        return;
    onLibrary([this](Library& library) {
        for (const JobRecord& job : library.unfinishedJobs()) {
            if (job.state != JobState::Waiting || job.kind != "prepare")
                continue;
            toUi([this, job] {
                if (m_runningJob != 0)
                    return;
                m_runningJob = job.id;
                m_runningDocument = job.documentId;
                m_stopReason = JobState::Cancelled;
                m_jobStop = {};
                m_engine->post([this, job, stop = m_jobStop.get_token()](EngineRoom& room) {
                    runJob(room, job, stop);
                });
            });
            return;
        }
    });
}

/// Makes a waiting job a running one; false if it was paused, cancelled or removed since it was
/// chosen.
bool Session::claimJob(const JobRecord& job)
{
    return m_library->call([&](Library& library) {
        const auto jobs = library.jobs();
        const auto stored = std::ranges::find(jobs, job.id, &JobRecord::id);
        if (stored == jobs.end() || stored->state != JobState::Waiting)
            return false;
        library.updateJob(job);
        emitRows(library);
        return true;
    });
}

void Session::runJob(EngineRoom& room, const JobRecord& job, const std::stop_token& stop)
{
    JobRecord running = job;
    running.state = JobState::Running;
    Clock::time_point last{};
    try {
        if (!claimJob(running)) {
            toUi([this] {
                m_runningJob = 0;
                m_runningDocument = 0;
                startNextJob();
            });
            return;
        }
        const PrepareRequest request = requestFromJob(running);
        const PreparedDocument prepared = runPreparation(
            room, *m_engine, *m_library, request,
            [&](const PrepareStatus& status) {
                if (Clock::now() - last < kProgressInterval && status.progress.fraction < 1.0)
                    return;
                last = Clock::now();
                running.progress = status.progress.fraction;
                toUi([this, document = running.documentId, status] {
                    emit jobProgressed(document, progressText(status), status.progress.fraction);
                });
                publishMemory(room);
            },
            stop);
        running.contextId = prepared.contextId;
        running.progress = 1;
        endJob(running, JobState::Done, "");
        for (const std::string& warning : prepared.warnings)
            toUi([this, warning] { emit noticed(QString::fromStdString(warning)); });
    } catch (const engine::Error& error) {
        // After a stop the document may be gone, and any error is only the way out.
        const bool stopped = error.code() == engine::ErrorCode::Cancelled || stop.stop_requested();
        endJob(running, stopped ? JobState::Waiting : JobState::Failed, error.what());
    } catch (const std::bad_alloc&) {
        endJob(running, JobState::Failed,
               "There is not enough memory to prepare this document. Choose a smaller model.");
    } catch (const std::exception& error) {
        endJob(running, JobState::Failed, error.what());
    }
    publishMemory(room);
}

/// A stopped job becomes what the stop was asked for: paused or cancelled.
void Session::endJob(JobRecord job, JobState state, const std::string& error)
{
    toUi([this, job = std::move(job), state, error] {
        JobRecord ended = job;
        ended.state = state == JobState::Waiting ? m_stopReason : state;
        ended.error = state == JobState::Failed ? error : "";
        m_runningJob = 0;
        m_runningDocument = 0;
        onLibrary([this, ended](Library& library) {
            const auto jobs = library.jobs();
            // The document, and the job with it, may have been removed meanwhile.
            if (std::ranges::find(jobs, ended.id, &JobRecord::id) != jobs.end())
                library.updateJob(ended);
            emitRows(library);
        });
        if (state == JobState::Failed)
            emit failed(QString::fromStdString(error));
        startNextJob();
    });
}

void Session::setJobState(RecordId jobId, JobState state)
{
    onLibrary([this, jobId, state](Library& library) {
        for (JobRecord job : library.jobs()) {
            if (job.id != jobId)
                continue;
            job.state = state;
            library.updateJob(job);
        }
        emitRows(library);
        toUi([this] { startNextJob(); });
    });
}

void Session::pauseJob(RecordId jobId)
{
    if (jobId != m_runningJob) {
        setJobState(jobId, JobState::Paused);
        return;
    }
    m_stopReason = JobState::Paused;
    m_jobStop.request_stop();
}

void Session::resumeJob(RecordId jobId)
{
    setJobState(jobId, JobState::Waiting);
}

void Session::cancelJob(RecordId jobId)
{
    if (jobId != m_runningJob) {
        setJobState(jobId, JobState::Cancelled);
        return;
    }
    m_stopReason = JobState::Cancelled;
    m_jobStop.request_stop();
}

} // namespace app
