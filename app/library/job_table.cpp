#include "app/library/job_table.h"

#include "app/library/record_io.h"

namespace app {
namespace {

constexpr std::string_view kListSql =
    "SELECT id, kind, ifnull(document, 0), context, parameters, state, progress, progress_text, "
    "error, created_at, changed_at FROM job ";

JobState stateFromStored(std::int64_t value)
{
    for (const JobState state : {JobState::Waiting, JobState::Running, JobState::Paused,
                                 JobState::Done, JobState::Cancelled})
        if (static_cast<std::int64_t>(state) == value)
            return state;
    return JobState::Failed;
}

std::vector<JobRecord> readJobs(Statement row)
{
    std::vector<JobRecord> jobs;
    while (row.step())
        jobs.push_back({.id = row.integer(0),
                        .kind = row.text(1),
                        .documentId = row.integer(2),
                        .contextId = row.integer(3),
                        .parameters = row.text(4),
                        .state = stateFromStored(row.integer(5)),
                        .progress = row.real(6),
                        .progressText = row.text(7),
                        .error = row.text(8),
                        .createdAt = row.integer(9),
                        .changedAt = row.integer(10)});
    return jobs;
}

} // namespace

bool JobTable::contains(RecordId id) const
{
    return m_database.integer("SELECT 1 FROM job WHERE id = ?1", id).has_value();
}

RecordId JobTable::enqueue(const JobRecord& job)
{
    Transaction transaction(m_database);
    const RecordId id = nextRecordId(m_database);
    m_database.run("INSERT INTO job VALUES (?1, ?2, nullif(?3, 0), ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                   "?10)",
                   id, job.kind, job.documentId, job.contextId, job.parameters, job.state,
                   job.progress, job.progressText, job.error, now());
    transaction.commit();
    return id;
}

void JobTable::update(const JobRecord& job)
{
    Transaction transaction(m_database);
    m_database.run("UPDATE job SET document = nullif(?2, 0), context = ?3, state = ?4, "
                   "progress = ?5, progress_text = ?6, error = ?7, changed_at = ?8 WHERE id = ?1",
                   job.id, job.documentId, job.contextId, job.state, job.progress, job.progressText,
                   job.error, now());
    if (m_database.changes() == 0)
        throwNoSuchRecord("job", job.id);
    transaction.commit();
}

std::vector<JobRecord> JobTable::list() const
{
    return readJobs(m_database.prepare(std::string(kListSql) + "ORDER BY id"));
}

std::vector<JobRecord> JobTable::unfinished() const
{
    Statement statement =
        m_database.prepare(std::string(kListSql) + "WHERE state IN (?1, ?2, ?3) ORDER BY id");
    statement.bind(JobState::Waiting, JobState::Running, JobState::Paused);
    return readJobs(std::move(statement));
}

void JobTable::remove(RecordId id)
{
    Transaction transaction(m_database);
    m_database.run("DELETE FROM job WHERE id = ?1", id);
    if (m_database.changes() == 0)
        throwNoSuchRecord("job", id);
    m_database.run("UPDATE bookkeeping SET erase_pending = 1");
    transaction.commit();
}

void JobTable::requeueRunning()
{
    Transaction transaction(m_database);
    m_database.run("UPDATE job SET state = ?1 WHERE state = ?2", JobState::Waiting,
                   JobState::Running);
    transaction.commit();
}

std::optional<std::string> readSetting(const Database& database, std::string_view key)
{
    Statement row = database.prepare("SELECT value FROM setting WHERE key = ?1");
    if (!row.bind(key).step())
        return std::nullopt;
    return row.text(0);
}

void writeSetting(Database& database, std::string_view key, std::string_view value)
{
    Transaction transaction(database);
    database.run("INSERT OR REPLACE INTO setting VALUES (?1, ?2)", key, value);
    transaction.commit();
}

} // namespace app
