#pragma once

#include <filesystem>

namespace app {

/// Owns a file descriptor.
class FileDescriptor
{
public:
    explicit FileDescriptor(int value = -1)
        : m_value(value)
    {}
    FileDescriptor(FileDescriptor&& other) noexcept;
    FileDescriptor& operator=(FileDescriptor&& other) noexcept;
    ~FileDescriptor();

    int get() const { return m_value; }
    bool isOpen() const { return m_value >= 0; }

private:
    int m_value;
};

/// Returns once the contents of a file, or the entries of a folder, are on the disk.
/// Errors: DiskFull, Damaged.
void syncFile(const std::filesystem::path& path);

/// Errors: ReadOnly.
void renameFile(const std::filesystem::path& from, const std::filesystem::path& to);

} // namespace app
