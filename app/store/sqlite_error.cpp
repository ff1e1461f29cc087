#include "app/store/sqlite_error.h"

#include "engine/error.h"

#include <sqlite3.h>

#include <cerrno>
#include <string>

namespace app {
namespace {

using engine::Error;
using engine::ErrorCode;

bool isDiskFull(sqlite3* handle, int primary)
{
    if (primary == SQLITE_FULL)
        return true;
    // Creating or growing the small shared-memory file fails as an I/O error when space is short.
    if (handle == nullptr || (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN))
        return false;
    const int systemError = sqlite3_system_errno(handle);
    return systemError == ENOSPC || systemError == EDQUOT;
}

} // namespace

// NOLINTNEXTLINE(readability-function-size): a sentence for each code
void throwSqliteError(sqlite3* handle, int code, const std::filesystem::path& file)
{
    const int primary = code & 0xff;
    const bool known = handle != nullptr && (sqlite3_errcode(handle) & 0xff) == primary;
    const int extended = known ? sqlite3_extended_errcode(handle) : code;
    std::string detail = "SQLite " + std::to_string(extended) + " in " + file.string() + ": " +
                         (known ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
    const std::string name = "\"" + file.string() + "\"";

    if (isDiskFull(handle, primary)) {
        throw Error(ErrorCode::DiskFull,
                    "The disk that holds " + name +
                        " is full: remove a document or a prepared context, or free space on the "
                        "disk, and try again; what was saved before is safe.",
                    std::move(detail));
    }
    if (extended == SQLITE_CONSTRAINT_FOREIGNKEY)
        throw Error(ErrorCode::NotFound,
                    "What this belongs to is no longer in the library; it may have been removed.",
                    std::move(detail));
    switch (primary) {
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        throw Error(ErrorCode::ReadOnly,
                    "Nothing can be saved because " + name +
                        " cannot be written: allow writing to its folder, or choose another "
                        "data folder.",
                    std::move(detail));
    case SQLITE_CANTOPEN:
        throw Error(ErrorCode::NotFound,
                    "The file " + name +
                        " cannot be opened: check that the folder exists and may be used by you.",
                    std::move(detail));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        throw Error(ErrorCode::InUse,
                    "The file " + name +
                        " is being used by another program: close that program and try again.",
                    std::move(detail));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        throw Error(ErrorCode::Damaged,
                    "The file " + name +
                        " is damaged: start the program again; it then checks the file and says "
                        "what can be restored.",
                    std::move(detail));
    case SQLITE_IOERR:
        throw Error(ErrorCode::Damaged,
                    "Reading or writing " + name +
                        " failed: check the disk, then start the program again.",
                    std::move(detail));
    case SQLITE_NOMEM:
        throw Error(ErrorCode::OutOfMemory,
                    "There is not enough memory to use " + name +
                        ": close other programs and try again.",
                    std::move(detail));
    case SQLITE_TOOBIG:
        throw Error(ErrorCode::TooLarge, "A value is too large to be stored in " + name + ".",
                    std::move(detail));
    default:
        throw Error(ErrorCode::Internal,
                    "The file " + name +
                        " could not be used because of a fault in the program; please report it.",
                    std::move(detail));
    }
}

} // namespace app
