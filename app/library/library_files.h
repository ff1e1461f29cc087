#pragma once

#include "app/library/daily_copies.h"
#include "app/library/library.h"
#include "app/store/database.h"
#include "app/store/directory_lock.h"
#include "app/store/reserve_file.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace app {

/// The two database files of a data directory, opened, and what guards them.
struct LibraryFiles
{
    std::optional<DirectoryLock> lock; // only while writing; released after the files are closed
    std::unique_ptr<Database> library;
    std::unique_ptr<Database> contexts;
    std::string notice; // see Library::notice
    bool readOnly = false;
};

ReserveFile reserveFileOf(const std::filesystem::path& dataDir, const LibraryOptions& options);
DailyCopies dailyCopiesOf(const std::filesystem::path& dataDir, const LibraryOptions& options);

/// See Library::open.
LibraryFiles openLibraryFiles(const std::filesystem::path& dataDir, OpenMode mode,
                              const LibraryOptions& options);

} // namespace app
