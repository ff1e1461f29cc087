#include "app/store/files.h"

#include "engine/error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace app {

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : m_value(std::exchange(other.m_value, -1))
{}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept
{
    std::swap(m_value, other.m_value);
    return *this;
}

FileDescriptor::~FileDescriptor()
{
    if (isOpen())
        ::close(m_value);
}

void syncFile(const std::filesystem::path& path)
{
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.isOpen() && ::fsync(file.get()) == 0)
        return;
    const int systemError = errno;
    const bool full = systemError == ENOSPC || systemError == EDQUOT;
    throw engine::Error(full ? engine::ErrorCode::DiskFull : engine::ErrorCode::Damaged,
                        "Writing \"" + path.string() +
                            (full ? "\" failed because the disk is full: free space and try again."
                                  : "\" failed: check the disk and try again."),
                        std::strerror(systemError));
}

void renameFile(const std::filesystem::path& from, const std::filesystem::path& to)
{
    std::error_code failed;
    std::filesystem::rename(from, to, failed);
    if (failed)
        throw engine::Error(engine::ErrorCode::ReadOnly,
                            "The file \"" + from.string() + "\" cannot be renamed to \"" +
                                to.string() + "\": allow writing to its folder.",
                            failed.message());
}

} // namespace app
