#include "app/library/library_state.h"

#include "engine/error.h"

#include <string>

namespace app {

using engine::Error;
using engine::ErrorCode;

Library::State::State(const std::filesystem::path& directory, OpenMode mode,
                      const LibraryOptions& options)
    : dataDir(directory)
    , files(openLibraryFiles(directory, mode, options))
    , reserve(reserveFileOf(directory, options))
    , copies(dailyCopiesOf(directory, options))
{}

void Library::State::cleanUpAfterLastRun()
{
    withReserve([&] {
        documents.removeUnfinished();
        jobs.requeueRunning();
    });
    eraseTracesIfPossible();
    try {
        withReserve([&] { contexts.removeOrphans(documents.ids()); });
    } catch (const Error& error) {
        // Each context is checked when it is used; a bad one must not keep the others away.
        if (error.code() != ErrorCode::Damaged)
            throw;
        files.notice = "Some of the prepared contexts are damaged: check them, and prepare their "
                       "documents again.";
    }
    shrinkContextsIfPossible();
    try {
        if (!documents.ids().empty())
            copies.makeTodaysCopy(*files.library);
    } catch (const Error& error) {
        files.notice =
            std::string("Today's copy of the library could not be made. ") + error.what();
    }
    reserve.acquire();
}

void Library::State::eraseTraces()
{
    Database& library = *files.library;
    if (library.integer("SELECT erase_pending FROM bookkeeping").value_or(0) != 0) {
        copies.removeAll();
        {
            Transaction transaction(library);
            library.run("INSERT INTO page_text (page_text) VALUES ('optimize')");
            transaction.commit();
        }
        if (!library.shrink())
            return; // a reader still needs the log
        {
            Transaction transaction(library);
            library.run("UPDATE bookkeeping SET erase_pending = 0");
            transaction.commit();
        }
        if (!documents.ids().empty())
            copies.makeTodaysCopy(library);
    }
}

// What was to be removed is gone already; if a full disk or a reader is in the way, the traces go
// with the next removal or the next start.
void Library::State::eraseTracesIfPossible()
{
    try {
        eraseTraces();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::DiskFull && error.code() != ErrorCode::InUse)
            throw;
    }
}

void Library::State::shrinkContextsIfPossible()
{
    try {
        files.contexts->shrink();
    } catch (const Error& error) {
        // Damage does not matter here: every part is checked when it is read.
        if (error.code() != ErrorCode::DiskFull && error.code() != ErrorCode::InUse &&
            error.code() != ErrorCode::Damaged)
            throw;
    }
}

void Library::State::withReserve(const std::function<void()>& action)
{
    try {
        action();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::DiskFull || !reserve.release())
            throw;
        action();
    }
}

void Library::State::removeWith(const std::function<void()>& removal)
{
    withReserve(removal);
    eraseTracesIfPossible();
    shrinkContextsIfPossible();
    reserve.acquire();
}

} // namespace app
