#include "app/store/reserve_file.h"

#include "app/store/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <utility>

namespace app {

ReserveFile::ReserveFile(std::filesystem::path file, std::int64_t bytes)
    : m_file(std::move(file))
    , m_bytes(bytes)
{}

bool ReserveFile::acquire()
{
    if (m_bytes <= 0)
        return true;
    const FileDescriptor file(::open(m_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct stat status = {};
    if (file.isOpen() && ::fstat(file.get(), &status) == 0 && status.st_size == m_bytes)
        return true;
    // posix_fallocate allocates real blocks: a file with holes would reserve nothing.
    if (file.isOpen() && ::posix_fallocate(file.get(), 0, m_bytes) == 0)
        return true;
    release();
    return false;
}

bool ReserveFile::release()
{
    std::error_code failed;
    return std::filesystem::remove(m_file, failed);
}

} // namespace app
