#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

struct zip;

namespace app {

/// Read access to the entries of an archive from a stranger. Nothing is ever written to disk and
/// names are only keys inside the archive, so they cannot lead anywhere else. What is unpacked is
/// counted as it arrives, because the sizes in an archive's directory are whatever its author wrote
/// there.
class ZipArchive
{
public:
    static constexpr std::uint64_t kMaxEntryBytes = std::uint64_t{64} << 20;
    static constexpr std::uint64_t kMaxTotalBytes = std::uint64_t{1} << 30;
    static constexpr std::uint64_t kRatioFreeBytes = std::uint64_t{1} << 20;
    static constexpr std::uint64_t kMaxRatio =
        100; // of unpacked to packed bytes, after the free ones
    static constexpr std::int64_t kMaxEntries = 10'000;

    /// @throws engine::Error Damaged if it is no archive, TooLarge if it has too many entries.
    explicit ZipArchive(const std::filesystem::path& file);

    bool contains(const std::string& name) const;

    /// The unpacked bytes of an entry.
    /// @throws engine::Error NotFound, Damaged (also for a wrong checksum), Unsupported (entry
    /// locked with a password), TooLarge.
    std::string read(const std::string& name);

private:
    struct Close
    {
        void operator()(zip* archive) const;
    };

    std::string m_fileName; // quoted, for sentences
    std::unique_ptr<zip, Close> m_archive;
    std::uint64_t m_totalBytes = 0;
};

} // namespace app
