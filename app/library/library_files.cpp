#include "app/library/library_files.h"

#include "app/library/context_table.h"
#include "app/library/record_io.h"
#include "app/store/migrations.h"
#include "engine/error.h"

#include <cstdlib>
#include <unistd.h>

namespace app {
namespace {

using engine::Error;
using engine::ErrorCode;
using std::filesystem::path;

constexpr std::string_view kLibraryName = "library.db";
constexpr std::string_view kContextsName = "contexts.db";

// Found by file(1) and by the MIME database: "EPTL" and "EPTC".
constexpr std::int32_t kLibraryApplicationId = 0x4550544C;
constexpr std::int32_t kContextsApplicationId = 0x45505443;

DatabaseOptions libraryOptions(DatabaseAccess access, const LibraryOptions& options)
{
    return {.access = access,
            .applicationId = kLibraryApplicationId,
            .pageSize = 4096,
            .secureDelete = true,
            .vfs = options.vfs};
}

/// Large values in large pages write twice as fast. Overwriting deleted gigabytes would fill the
/// log; freed pages are cut off the file instead (Database::shrink).
DatabaseOptions contextsOptions(DatabaseAccess access, const LibraryOptions& options)
{
    return {.access = access,
            .applicationId = kContextsApplicationId,
            .pageSize = 16384,
            .secureDelete = false,
            .vfs = options.vfs,
            .logBytes = 64LL << 20};
}

std::string quoted(const path& file)
{
    std::string text(1, '"');
    text += file.string();
    return text += '"';
}

bool isThere(const path& file)
{
    std::error_code failed;
    return std::filesystem::exists(file, failed);
}

bool canWrite(const path& directory)
{
    return ::access(directory.c_str(), W_OK | X_OK) == 0;
}

std::string damagedLibrarySentence(const path& dataDir, const LibraryOptions& options)
{
    const path copy = dailyCopiesOf(dataDir, options).newest();
    return "The library " + quoted(dataDir / kLibraryName) + " is damaged" +
           (copy.empty() ? "; there is no copy of it: move the file away and import the documents "
                           "again."
                         : ": close the program and replace it by the copy " + quoted(copy) + ".");
}

/// A log file that was not taken over holds commits that the database file lacks.
bool hasPendingLog(const path& file)
{
    path log = file;
    log += "-wal";
    std::error_code missing;
    const auto size = std::filesystem::file_size(log, missing);
    return !missing && size > 0;
}

using OptionsMaker = DatabaseOptions (*)(DatabaseAccess, const LibraryOptions&);

std::unique_ptr<Database> openForReading(const path& file, OptionsMaker makeOptions,
                                         const LibraryOptions& options)
{
    try {
        return std::make_unique<Database>(file, makeOptions(DatabaseAccess::Read, options));
    } catch (const Error& error) {
        const bool cannotCreateLog =
            error.code() == ErrorCode::NotFound || error.code() == ErrorCode::ReadOnly;
        if (!cannotCreateLog || !isThere(file))
            throw;
        if (hasPendingLog(file))
            throw Error(ErrorCode::ReadOnly,
                        "The file " + quoted(file) +
                            " was not closed properly and its folder cannot be written: copy the "
                            "folder to a place where you may write and open it there.",
                        error.detail());
    }
    return std::make_unique<Database>(file, makeOptions(DatabaseAccess::Immutable, options));
}

void requireCurrentSchema(const Database& database, std::span<const std::string_view> steps)
{
    if (schemaAge(database, steps) == SchemaAge::Older)
        throw Error(ErrorCode::ReadOnly,
                    "The file " + quoted(database.file()) +
                        " was written by an older version: open it once where its folder may be "
                        "written.");
}

std::unique_ptr<Database> emptyContexts()
{
    auto contexts =
        std::make_unique<Database>(":memory:", contextsOptions(DatabaseAccess::Write, {}));
    migrate(*contexts, contextsSchema(), {});
    return contexts;
}

std::unique_ptr<Database> openContextsForReading(const path& file, const LibraryOptions& options)
{
    auto contexts = openForReading(file, contextsOptions, options);
    requireCurrentSchema(*contexts, contextsSchema());
    ContextTable(*contexts).list(0); // throws if not even the list can be read
    return contexts;
}

LibraryFiles openReadOnly(const path& dataDir, const LibraryOptions& options, std::string notice)
{
    const path file = dataDir / kLibraryName;
    if (!isThere(file))
        throw Error(ErrorCode::NotFound, "There is no library in " + quoted(dataDir) +
                                             ": import a document first, or choose another data "
                                             "folder.");
    LibraryFiles files;
    files.readOnly = true;
    files.notice = std::move(notice);
    files.library = openForReading(file, libraryOptions, options);
    requireCurrentSchema(*files.library, librarySchema());
    const path contexts = dataDir / kContextsName;
    try {
        files.contexts =
            isThere(contexts) ? openContextsForReading(contexts, options) : emptyContexts();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Damaged)
            throw;
        files.contexts = emptyContexts();
        files.notice += (files.notice.empty() ? "" : " ") +
                        std::string("The prepared contexts in ") + quoted(contexts) +
                        " are damaged; documents and conversations are all there. Prepare the "
                        "documents again.";
    }
    return files;
}

/// Prepared contexts can be made again, so a file that cannot be read is moved aside: it never
/// costs a document or a conversation.
std::string setAside(const path& file)
{
    path aside = file;
    aside.replace_filename("contexts-damaged-" + std::to_string(now()) + ".db");
    renameFile(file, aside);
    for (const char* suffix : {"-wal", "-shm"}) {
        path companion = file;
        companion += suffix;
        std::error_code missing;
        std::filesystem::remove(companion, missing);
    }
    return "The prepared contexts were damaged and had to be moved to " + quoted(aside) +
           "; documents and conversations are all there, but the documents must be prepared again.";
}

std::unique_ptr<Database> openContexts(const path& file, const LibraryOptions& options)
{
    auto contexts =
        std::make_unique<Database>(file, contextsOptions(DatabaseAccess::Write, options));
    if (schemaAge(*contexts, contextsSchema()) == SchemaAge::Older)
        migrate(*contexts, contextsSchema(), {}); // too large to copy, and made again if lost
    if (schemaAge(*contexts, contextsSchema()) == SchemaAge::Same)
        ContextTable(*contexts).list(0); // throws if not even the list can be read
    return contexts;
}

/// Empty optional: the files can only be read, for the reason in `whyNot`.
std::optional<LibraryFiles> openForWriting(const path& dataDir, const LibraryOptions& options,
                                           std::string& whyNot)
{
    LibraryFiles files;
    files.lock.emplace(dataDir);
    const path file = dataDir / kLibraryName;
    files.library =
        std::make_unique<Database>(file, libraryOptions(DatabaseAccess::Write, options));
    if (files.library->readOnly()) {
        whyNot =
            "The library is open for reading only, because " + quoted(file) + " cannot be written.";
        return std::nullopt;
    }
    if (const std::string damage = files.library->quickCheck(); !damage.empty()) {
        whyNot =
            damagedLibrarySentence(dataDir, options) + " Until then it is open for reading only.";
        return std::nullopt;
    }
    const std::string newer = " was written by a newer version of the program; it is open for "
                              "reading only. Update the program to change it.";
    if (schemaAge(*files.library, librarySchema()) == SchemaAge::Newer) {
        whyNot = "The library " + quoted(file) + newer;
        return std::nullopt;
    }
    migrate(*files.library, librarySchema(), dailyCopiesOf(dataDir, options).folder());

    const path contextsFile = dataDir / kContextsName;
    try {
        files.contexts = openContexts(contextsFile, options);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Damaged)
            throw;
        files.notice = setAside(contextsFile);
        files.contexts = openContexts(contextsFile, options);
    }
    if (schemaAge(*files.contexts, contextsSchema()) == SchemaAge::Newer) {
        whyNot = "The file " + quoted(contextsFile) + newer;
        return std::nullopt;
    }
    return files;
}

/// Opening needs a little space of its own; on a full disk the reserve has it.
std::optional<LibraryFiles> openOnFullDisk(const path& dataDir, const LibraryOptions& options,
                                           std::string& whyNot)
{
    try {
        return openForWriting(dataDir, options, whyNot);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::DiskFull || !reserveFileOf(dataDir, options).release())
            throw;
    }
    return openForWriting(dataDir, options, whyNot);
}

} // namespace

ReserveFile reserveFileOf(const path& dataDir, const LibraryOptions& options)
{
    return {dataDir / "reserve", options.reserveBytes};
}

DailyCopies dailyCopiesOf(const path& dataDir, const LibraryOptions& options)
{
    return {dataDir / "backups", options.dailyCopies};
}

LibraryFiles openLibraryFiles(const path& dataDir, OpenMode mode, const LibraryOptions& options)
{
    try {
        if (mode == OpenMode::ReadOnly)
            return openReadOnly(dataDir, options, {});
        std::error_code failed;
        std::filesystem::create_directories(dataDir, failed);
        if (failed)
            throw Error(ErrorCode::ReadOnly,
                        "The data folder " + quoted(dataDir) +
                            " cannot be made: choose another one.",
                        failed.message());
        std::string whyNot;
        if (canWrite(dataDir)) {
            if (auto files = openOnFullDisk(dataDir, options, whyNot))
                return std::move(*files);
        } else {
            whyNot = "The library is open for reading only, because the folder " + quoted(dataDir) +
                     " cannot be written.";
        }
        return openReadOnly(dataDir, options, std::move(whyNot));
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Damaged)
            throw;
        throw Error(ErrorCode::Damaged, damagedLibrarySentence(dataDir, options), error.detail());
    }
}

std::filesystem::path defaultDataDirectory()
{
    const char* configured = std::getenv("XDG_DATA_HOME");
    // The XDG base directory specification: a relative path is to be ignored.
    if (configured != nullptr && path(configured).is_absolute())
        return path(configured) / "epitome";
    const char* home = std::getenv("HOME");
    if (home != nullptr && *home != '\0')
        return path(home) / ".local" / "share" / "epitome";
    throw Error(ErrorCode::NotFound,
                "There is no home folder for the library: choose a data folder.",
                "neither XDG_DATA_HOME nor HOME is set");
}

} // namespace app
