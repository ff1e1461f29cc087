#pragma once

#include "app/store/statement.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;

namespace app {

enum class DatabaseAccess
{
    Write,    // the one connection that may write and checkpoint
    Read,     // reads beside a writer, never checkpoints
    Immutable // reads on a medium where nothing can be created: no log file, no locks
};

struct DatabaseOptions
{
    DatabaseAccess access = DatabaseAccess::Write;
    std::int32_t applicationId = 0;
    int pageSize = 4096;                // for a new file
    bool secureDelete = true;           // overwrite what is deleted at once
    std::string vfs = {};               // name of an SQLite VFS; empty is the system's own
    std::int64_t logBytes = 16LL << 20; // the log file is cut back to this size
};

/// One connection to one SQLite file, with every setting the project relies on: write-ahead log
/// with synchronous=FULL (a commit that returned survives a power cut), no memory mapping, foreign
/// keys, schema and cells treated as untrusted. One writing connection per file is a hard rule:
/// SQLite before 3.51.3 can damage a file when two of them checkpoint at once
/// (sqlite.org/wal.html, "the WAL-reset bug").
class Database
{
public:
    /// Opens the file; Write creates it if it is missing. Reads the header, so a file that is not
    /// a database of this program is refused here. Errors: Damaged, Unsupported, NotFound,
    /// ReadOnly, DiskFull, InUse.
    Database(const std::filesystem::path& file, const DatabaseOptions& options);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    const std::filesystem::path& file() const { return m_file; }
    bool readOnly() const;

    Statement prepare(std::string_view sql) const;
    /// Prepares, binds and runs one statement that returns no row.
    template <typename... Values>
    void run(std::string_view sql, const Values&... values) const
    {
        prepare(sql).bind(values...).run();
    }
    /// First column of the first row, if there is a row.
    template <typename... Values>
    std::optional<std::int64_t> integer(std::string_view sql, const Values&... values) const
    {
        Statement statement = prepare(sql);
        statement.bind(values...);
        if (!statement.step())
            return std::nullopt;
        return statement.integer(0);
    }
    /// Runs several statements without parameters.
    void runScript(std::string_view sql) const;

    int schemaVersion() const;
    std::int64_t changes() const; // rows changed by the last statement
    std::int64_t lastRowId() const;
    /// Bytes of a value, read without a second copy. `table` and `column` are constants of ours.
    std::vector<std::byte> readBlob(const char* table, const char* column, std::int64_t row) const;
    /// Moves the log into the file and empties it. False if a reader is in the way.
    bool checkpoint() const;
    /// Gives free pages back to the file system, in steps that need little free space. False if
    /// a reader is in the way.
    bool shrink() const;
    /// Structure check; empty when it is sound. Reads the whole file.
    std::string quickCheck() const;
    /// Writes a compact copy to `target`, which appears only when it is complete and on the disk.
    void copyTo(const std::filesystem::path& target) const;

private:
    friend class Transaction;
    struct Close
    {
        void operator()(sqlite3* handle) const;
    };

    void protect() const;
    bool checkIdentity(std::int32_t applicationId) const; // true for an empty file
    void configureWriting(const DatabaseOptions& options) const;
    void check(int code) const;

    std::filesystem::path m_file;
    std::unique_ptr<sqlite3, Close> m_handle;
    bool m_writeFailed = false;
};

/// All or nothing: rolled back unless commit() was called. After commit() returned, the changes
/// are on the disk. Transactions do not nest.
class Transaction
{
public:
    /// Errors: ReadOnly for a file opened for reading, Damaged after a failed write: what the
    /// system then holds in memory is unknown, so nothing more is written until a new start
    /// (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
    explicit Transaction(Database& database);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    void commit();

private:
    Database& m_database;
    bool m_open = false;
};

} // namespace app
