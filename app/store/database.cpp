#include "app/store/database.h"

#include "app/store/files.h"
#include "app/store/sqlite_error.h"
#include "engine/error.h"

#include <sqlite3.h>

#include <limits>

namespace app {
namespace {

using engine::Error;
using engine::ErrorCode;

constexpr int kBusyTimeoutMs = 2000;
constexpr int kShrinkPages = 512; // per transaction: the log of one step stays small

/// Percent-encoded, because ?, # and % mean something in a URI.
std::string immutableUri(const std::filesystem::path& file)
{
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const std::filesystem::path absolute = std::filesystem::absolute(file);
    std::string uri = "file:";
    for (const char c : absolute.native()) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
            (byte >= '0' && byte <= '9') || byte == '/' || byte == '.' || byte == '-') {
            uri += c;
        } else {
            uri += '%';
            uri += kDigits[byte >> 4U];
            uri += kDigits[byte & 15U];
        }
    }
    return uri + "?immutable=1";
}

int openFlags(DatabaseAccess access)
{
    constexpr int kCommon = SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE;
    switch (access) {
    case DatabaseAccess::Write:
        return kCommon | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    case DatabaseAccess::Read:
        return kCommon | SQLITE_OPEN_READONLY;
    case DatabaseAccess::Immutable:
        break;
    }
    return kCommon | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
}

} // namespace

void Database::Close::operator()(sqlite3* handle) const
{
    sqlite3_close_v2(handle);
}

Database::Database(const std::filesystem::path& file, const DatabaseOptions& options)
    : m_file(file)
{
    const std::string name =
        options.access == DatabaseAccess::Immutable ? immutableUri(file) : file.native();
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &handle, openFlags(options.access),
                                     options.vfs.empty() ? nullptr : options.vfs.c_str());
    m_handle.reset(handle);
    if (code != SQLITE_OK)
        throwSqliteError(handle, code, file);
    protect();
    const bool isNew = checkIdentity(options.applicationId);
    if (options.access != DatabaseAccess::Write || readOnly()) {
        check(sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr));
        runScript("PRAGMA wal_autocheckpoint = 0; PRAGMA query_only = ON;");
        return;
    }
    configureWriting(options);
    if (isNew)
        runScript("PRAGMA application_id = " + std::to_string(options.applicationId));
}

Database::~Database() = default;

void Database::protect() const
{
    sqlite3* handle = m_handle.get();
    check(sqlite3_busy_timeout(handle, kBusyTimeoutMs));
    for (const int setting : {SQLITE_DBCONFIG_DEFENSIVE, SQLITE_DBCONFIG_ENABLE_FKEY})
        check(sqlite3_db_config(handle, setting, 1, nullptr));
    for (const int setting : {SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_DQS_DML,
                              SQLITE_DBCONFIG_DQS_DDL, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION})
        check(sqlite3_db_config(handle, setting, 0, nullptr));
    runScript("PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;");
}

bool Database::checkIdentity(std::int32_t applicationId) const
{
    const std::int64_t found = integer("PRAGMA application_id").value_or(0);
    if (found == applicationId)
        return false;
    const std::int64_t tables = integer("SELECT count(*) FROM sqlite_schema").value_or(0);
    if (found == 0 && tables == 0)
        return true;
    throw Error(ErrorCode::Unsupported,
                "The file \"" + m_file.string() +
                    "\" belongs to another program: choose another data folder.",
                "application_id " + std::to_string(found));
}

void Database::configureWriting(const DatabaseOptions& options) const
{
    // Page size and vacuum mode count only before the first table and before the log is on.
    runScript("PRAGMA page_size = " + std::to_string(options.pageSize) +
              "; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
              "PRAGMA synchronous = FULL; PRAGMA secure_delete = " +
              (options.secureDelete ? "ON" : "FAST") +
              "; PRAGMA journal_size_limit = " + std::to_string(options.logBytes) + ";");
}

bool Database::readOnly() const
{
    return sqlite3_db_readonly(m_handle.get(), "main") != 0;
}

Statement Database::prepare(std::string_view sql) const
{
    return {m_handle.get(), sql};
}

void Database::runScript(std::string_view sql) const
{
    check(sqlite3_exec(m_handle.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr));
}

int Database::schemaVersion() const
{
    return static_cast<int>(integer("PRAGMA user_version").value_or(0));
}

std::int64_t Database::changes() const
{
    return sqlite3_changes64(m_handle.get());
}

std::int64_t Database::lastRowId() const
{
    return sqlite3_last_insert_rowid(m_handle.get());
}

std::vector<std::byte> Database::readBlob(const char* table, const char* column,
                                          std::int64_t row) const
{
    sqlite3_blob* opened = nullptr;
    const int code =
        sqlite3_blob_open(m_handle.get(), "main", table, column, row, /*flags=*/0, &opened);
    const auto close = [](sqlite3_blob* blob) { sqlite3_blob_close(blob); };
    const std::unique_ptr<sqlite3_blob, decltype(close)> blob(opened, close);
    check(code);
    std::vector<std::byte> bytes(static_cast<std::size_t>(sqlite3_blob_bytes(opened)));
    check(sqlite3_blob_read(opened, bytes.data(), static_cast<int>(bytes.size()), 0));
    return bytes;
}

bool Database::checkpoint() const
{
    const int code = sqlite3_wal_checkpoint_v2(m_handle.get(), "main", SQLITE_CHECKPOINT_TRUNCATE,
                                               nullptr, nullptr);
    if ((code & 0xff) == SQLITE_BUSY)
        return false;
    check(code);
    return true;
}

bool Database::shrink() const
{
    if (!checkpoint())
        return false;
    std::int64_t before = std::numeric_limits<std::int64_t>::max();
    std::int64_t free = integer("PRAGMA freelist_count").value_or(0);
    while (free > 0 && free < before) {
        before = free;
        prepare("PRAGMA incremental_vacuum(" + std::to_string(kShrinkPages) + ")").run();
        if (!checkpoint())
            return false;
        free = integer("PRAGMA freelist_count").value_or(0);
    }
    return true;
}

std::string Database::quickCheck() const
{
    Statement statement = prepare("PRAGMA quick_check(1)");
    std::string result = statement.step() ? statement.text(0) : "no answer";
    return result == "ok" ? std::string() : result;
}

void Database::copyTo(const std::filesystem::path& target) const
{
    std::filesystem::path unfinished = target;
    unfinished += ".part";
    std::error_code ignored;
    std::filesystem::remove(unfinished, ignored);
    try {
        run("VACUUM INTO ?1", unfinished.native());
        syncFile(unfinished); // SQLite leaves that to the caller
        renameFile(unfinished, target);
        syncFile(target.parent_path());
    } catch (...) {
        std::filesystem::remove(unfinished, ignored);
        throw;
    }
}

void Database::check(int code) const
{
    if (code != SQLITE_OK)
        throwSqliteError(m_handle.get(), code, m_file);
}

Transaction::Transaction(Database& database)
    : m_database(database)
{
    if (database.m_writeFailed)
        throwSqliteError(nullptr, SQLITE_IOERR, database.file());
    if (database.readOnly())
        throwSqliteError(nullptr, SQLITE_READONLY, database.file());
    database.runScript("BEGIN IMMEDIATE");
    m_open = true;
}

Transaction::~Transaction()
{
    // Some errors have rolled back already; a second ROLLBACK then fails, which says nothing new.
    if (m_open)
        sqlite3_exec(m_database.m_handle.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit()
{
    try {
        m_database.runScript("COMMIT");
    } catch (const Error& error) {
        const bool ioError = (sqlite3_errcode(m_database.m_handle.get()) & 0xff) == SQLITE_IOERR;
        if (ioError && error.code() != ErrorCode::DiskFull)
            m_database.m_writeFailed = true;
        throw;
    }
    m_open = false;
}

} // namespace app
