#include "tests/app/library/fault_vfs.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>

namespace tests {
namespace {

constexpr std::size_t kSectorBytes = 512;

std::vector<std::byte> readFile(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

} // namespace

/// What SQLite calls. The file of the real VFS lies behind this one in the same memory.
struct FaultFileMethods
{
    struct File
    {
        sqlite3_file base;
        FaultVfs* vfs;
        FaultVfs::TrackedFile* tracked;
    };

    static sqlite3_file* real(sqlite3_file* file)
    {
        return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
    }
    static FaultVfs& owner(sqlite3_file* file) { return *reinterpret_cast<File*>(file)->vfs; }
    static FaultVfs::TrackedFile& tracked(sqlite3_file* file)
    {
        return *reinterpret_cast<File*>(file)->tracked;
    }

    static int close(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
    static int read(sqlite3_file* file, void* buffer, int count, sqlite3_int64 offset)
    {
        return real(file)->pMethods->xRead(real(file), buffer, count, offset);
    }
    static int write(sqlite3_file* file, const void* buffer, int count, sqlite3_int64 offset)
    {
        if (const int failure = owner(file).nextOperation(SQLITE_IOERR_WRITE); failure != SQLITE_OK)
            return failure;
        const auto* bytes = static_cast<const std::byte*>(buffer);
        tracked(file).pending.push_back({offset, {bytes, bytes + count}});
        return real(file)->pMethods->xWrite(real(file), buffer, count, offset);
    }
    static int truncate(sqlite3_file* file, sqlite3_int64 size)
    {
        if (const int failure = owner(file).nextOperation(SQLITE_IOERR_TRUNCATE);
            failure != SQLITE_OK)
            return failure;
        tracked(file).pending.push_back({size, {}});
        return real(file)->pMethods->xTruncate(real(file), size);
    }
    static int sync(sqlite3_file* file, int /*flags*/)
    {
        if (const int failure = owner(file).nextOperation(SQLITE_IOERR_FSYNC); failure != SQLITE_OK)
            return failure;
        for (const FaultVfs::PendingWrite& write : tracked(file).pending)
            FaultVfs::apply(tracked(file).synced, write);
        tracked(file).pending.clear();
        return SQLITE_OK;
    }
    static int fileSize(sqlite3_file* file, sqlite3_int64* size)
    {
        return real(file)->pMethods->xFileSize(real(file), size);
    }
    static int lock(sqlite3_file* file, int level)
    {
        return real(file)->pMethods->xLock(real(file), level);
    }
    static int unlock(sqlite3_file* file, int level)
    {
        return real(file)->pMethods->xUnlock(real(file), level);
    }
    static int checkReservedLock(sqlite3_file* file, int* result)
    {
        return real(file)->pMethods->xCheckReservedLock(real(file), result);
    }
    static int fileControl(sqlite3_file* file, int operation, void* argument)
    {
        return real(file)->pMethods->xFileControl(real(file), operation, argument);
    }
    static int sectorSize(sqlite3_file* /*file*/) { return kSectorBytes; }
    static int deviceCharacteristics(sqlite3_file* /*file*/) { return 0; } // promises nothing
    static int shmMap(sqlite3_file* file, int page, int size, int extend, void volatile** memory)
    {
        return real(file)->pMethods->xShmMap(real(file), page, size, extend, memory);
    }
    static int shmLock(sqlite3_file* file, int offset, int count, int flags)
    {
        return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
    }
    static void shmBarrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
    static int shmUnmap(sqlite3_file* file, int deleteIt)
    {
        return real(file)->pMethods->xShmUnmap(real(file), deleteIt);
    }

    static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* result)
    {
        static constexpr sqlite3_io_methods kMethods = {2,
                                                        close,
                                                        read,
                                                        write,
                                                        truncate,
                                                        sync,
                                                        fileSize,
                                                        lock,
                                                        unlock,
                                                        checkReservedLock,
                                                        fileControl,
                                                        sectorSize,
                                                        deviceCharacteristics,
                                                        shmMap,
                                                        shmLock,
                                                        shmBarrier,
                                                        shmUnmap,
                                                        nullptr,
                                                        nullptr};
        auto* self = static_cast<FaultVfs*>(vfs->pAppData);
        auto* opened = reinterpret_cast<File*>(file);
        opened->base.pMethods = nullptr;
        opened->vfs = self;
        sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
        const int code = system->xOpen(system, name, real(file), flags, result);
        if (code != SQLITE_OK)
            return code;
        const std::string path = name != nullptr ? name : "";
        if (!self->m_files.contains(path))
            self->m_files[path].synced = readFile(path);
        opened->tracked = &self->m_files[path];
        opened->base.pMethods = &kMethods;
        return SQLITE_OK;
    }
    static int remove(sqlite3_vfs* vfs, const char* name, int syncFolder)
    {
        auto* self = static_cast<FaultVfs*>(vfs->pAppData);
        if (const int failure = self->nextOperation(SQLITE_IOERR_DELETE); failure != SQLITE_OK)
            return failure;
        self->m_files.erase(name);
        sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
        return system->xDelete(system, name, syncFolder);
    }
};

FaultVfs::FaultVfs()
{
    m_vfs = *sqlite3_vfs_find(nullptr);
    m_vfs.szOsFile += static_cast<int>(sizeof(FaultFileMethods::File));
    m_vfs.zName = "fault";
    m_vfs.pAppData = this;
    m_vfs.pNext = nullptr;
    m_vfs.xOpen = FaultFileMethods::open;
    m_vfs.xDelete = FaultFileMethods::remove;
    sqlite3_vfs_register(&m_vfs, 0);
}

FaultVfs::~FaultVfs()
{
    sqlite3_vfs_unregister(&m_vfs);
}

void FaultVfs::failAt(std::int64_t operation, Fault fault)
{
    m_files.clear();
    m_operations = 0;
    m_failAt = operation;
    m_fault = fault;
}

int FaultVfs::nextOperation(int failure)
{
    ++m_operations;
    if (m_fault == Fault::PowerCut)
        return m_operations >= m_failAt ? failure : SQLITE_OK;
    if (m_fault == Fault::None || m_operations != m_failAt)
        return SQLITE_OK;
    return m_fault == Fault::DiskFull ? SQLITE_FULL : failure;
}

void FaultVfs::apply(std::vector<std::byte>& content, const PendingWrite& write)
{
    const auto offset = static_cast<std::size_t>(write.offset);
    if (write.bytes.empty()) {
        content.resize(offset);
        return;
    }
    content.resize(std::max(content.size(), offset + write.bytes.size()));
    std::memcpy(content.data() + offset, write.bytes.data(), write.bytes.size());
}

void FaultVfs::writeSurvivors(const std::filesystem::path& folder, std::uint32_t seed) const
{
    std::mt19937 random(seed);
    const auto lost = random() % 3; // of three unsynced sectors this many are lost
    for (const auto& [path, file] : m_files) {
        std::vector<std::byte> content = file.synced;
        for (const PendingWrite& write : file.pending) {
            if (write.bytes.empty()) {
                if (random() % 3 >= lost)
                    apply(content, write);
                continue;
            }
            for (std::size_t begin = 0; begin < write.bytes.size(); begin += kSectorBytes) {
                if (random() % 3 < lost)
                    continue;
                const std::size_t end = std::min(write.bytes.size(), begin + kSectorBytes);
                apply(content, {write.offset + static_cast<std::int64_t>(begin),
                                {write.bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                 write.bytes.begin() + static_cast<std::ptrdiff_t>(end)}});
            }
        }
        std::ofstream output(folder / std::filesystem::path(path).filename(), std::ios::binary);
        output.write(reinterpret_cast<const char*>(content.data()),
                     static_cast<std::streamsize>(content.size()));
    }
}

} // namespace tests
