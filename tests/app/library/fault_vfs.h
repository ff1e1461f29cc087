#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace tests {

enum class Fault
{
    None,
    DiskFull,   // one operation fails, then the disk works again
    WriteError, // likewise, as a hardware error
    PowerCut    // this and all later operations fail
};

/// A VFS of SQLite over the real one that fails at a chosen write, truncation or sync, and that
/// knows what a power cut would leave: every byte up to the last sync of its file, and of what was
/// written since then any sectors of 512 bytes, or none. Creating and deleting files is taken as
/// durable at once. Nothing is really synced, which makes hundreds of runs quick.
class FaultVfs
{
public:
    FaultVfs();
    ~FaultVfs();
    FaultVfs(const FaultVfs&) = delete;
    FaultVfs& operator=(const FaultVfs&) = delete;

    const char* name() const { return m_vfs.zName; }
    /// Counts from 1; starts counting anew and forgets all files.
    void failAt(std::int64_t operation, Fault fault);
    std::int64_t operations() const { return m_operations; }
    bool failed() const { return m_operations >= m_failAt && m_fault != Fault::None; }
    /// Writes the files as they are found after the power cut into `folder`.
    void writeSurvivors(const std::filesystem::path& folder, std::uint32_t seed) const;

private:
    friend struct FaultFileMethods;
    struct PendingWrite
    {
        std::int64_t offset = 0;
        std::vector<std::byte> bytes; // empty: cut the file off at `offset`
    };
    struct TrackedFile
    {
        std::vector<std::byte> synced;
        std::vector<PendingWrite> pending;
    };

    int nextOperation(int failure); // SQLITE_OK, or the code to fail with
    static void apply(std::vector<std::byte>& content, const PendingWrite& write);

    sqlite3_vfs m_vfs = {};
    std::map<std::string, TrackedFile> m_files;
    std::int64_t m_operations = 0;
    std::int64_t m_failAt = 0;
    Fault m_fault = Fault::None;
};

} // namespace tests
