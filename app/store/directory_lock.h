#pragma once

#include "app/store/files.h"

#include <filesystem>

namespace app {

/// Holds a directory for one process. The system frees it when the process ends, however it ends.
class DirectoryLock
{
public:
    /// Errors: InUse when another process, or another DirectoryLock, holds it; NotFound.
    explicit DirectoryLock(const std::filesystem::path& directory);

private:
    FileDescriptor m_directory;
};

} // namespace app
