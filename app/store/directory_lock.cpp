#include "app/store/directory_lock.h"

#include "engine/error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>

namespace app {

using engine::Error;
using engine::ErrorCode;

DirectoryLock::DirectoryLock(const std::filesystem::path& directory)
    : m_directory(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))
{
    if (!m_directory.isOpen()) {
        throw Error(ErrorCode::NotFound,
                    "The data folder \"" + directory.string() +
                        "\" cannot be opened: check that it exists and may be used by you.",
                    std::strerror(errno));
    }
    if (::flock(m_directory.get(), LOCK_EX | LOCK_NB) == 0)
        return;
    if (errno == EWOULDBLOCK) {
        throw Error(ErrorCode::InUse,
                    "The data folder \"" + directory.string() +
                        "\" is open in another Epitome: use that one, or close it and try again.");
    }
    throw Error(ErrorCode::Unsupported,
                "The data folder \"" + directory.string() +
                    "\" lies on a file system without locks: choose a data folder on a local disk.",
                std::strerror(errno));
}

} // namespace app
