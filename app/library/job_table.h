#pragma once

#include "app/library/records.h"
#include "app/store/database.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// Jobs in library.db. The contract is that of the functions of Library.
class JobTable
{
public:
    explicit JobTable(Database& database)
        : m_database(database)
    {}

    bool contains(RecordId id) const;
    RecordId enqueue(const JobRecord& job);
    void update(const JobRecord& job);
    std::vector<JobRecord> list() const;
    std::vector<JobRecord> unfinished() const;
    void remove(RecordId id);
    /// Nobody can be running a job when a library is opened for writing: they wait again.
    void requeueRunning();

private:
    Database& m_database;
};

/// Settings in library.db: text by name.
std::optional<std::string> readSetting(const Database& database, std::string_view key);
void writeSetting(Database& database, std::string_view key, std::string_view value);

} // namespace app
