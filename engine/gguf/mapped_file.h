#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace engine {

/// A regular file mapped read-only into memory for as long as the object lives.
class MappedFile
{
public:
    /// Throws Error: NotFound (missing or unreadable), Unsupported (folder, device), Damaged
    /// (empty).
    explicit MappedFile(const std::filesystem::path& path);
    ~MappedFile();

    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const { return m_bytes; }

private:
    std::span<const std::byte> m_bytes;
};

} // namespace engine
