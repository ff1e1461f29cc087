#pragma once

#include "app/library/context_table.h"
#include "app/library/conversation_table.h"
#include "app/library/daily_copies.h"
#include "app/library/document_table.h"
#include "app/library/job_table.h"
#include "app/library/library.h"
#include "app/library/library_files.h"
#include "app/store/reserve_file.h"

#include <filesystem>
#include <functional>

namespace app {

/// What a Library is made of, and the care for what lies beside the tables.
struct Library::State
{
    State(const std::filesystem::path& directory, OpenMode mode, const LibraryOptions& options);

    /// At the start of a writing run: unfinished imports, orphans, jobs, traces, today's copy.
    void cleanUpAfterLastRun();
    /// Runs a removal so that it works on a full disk too, and takes its traces away.
    void removeWith(const std::function<void()>& removal);
    void shrinkContextsIfPossible();

    std::filesystem::path dataDir;
    LibraryFiles files;
    ReserveFile reserve;
    DailyCopies copies;
    DocumentTable documents{*files.library};
    ConversationTable conversations{*files.library};
    JobTable jobs{*files.library};
    ContextTable contexts{*files.contexts};

private:
    /// A deleted row is overwritten at once, but the search index, the log and the copies still
    /// know its words.
    void eraseTraces();
    /// Runs `action`, on a full disk a second time with the space of the reserve.
    void withReserve(const std::function<void()>& action);
    void eraseTracesIfPossible();
};

} // namespace app
