#include "engine/error.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/library/scenario.h"
#include "tests/app/store/temporary_folder.h"

#include <cstdio>
#include <doctest/doctest.h>
#include <fstream>
#include <functional>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

using app::Library;
using app::LibraryOptions;
using app::OpenMode;
using app::RecordId;
using engine::Error;
using engine::ErrorCode;

namespace {

constexpr int kNotPossible = 77;

void require(bool good, const std::string& what)
{
    if (!good)
        throw Error(ErrorCode::Internal, what);
}

void writeFile(const char* path, const std::string& text)
{
    std::ofstream(path) << text;
}

/// Mounts of this process are then seen by nobody else. Only a process that is not root needs to
/// become root of a world of its own first.
bool ownMounts()
{
    const std::string user = std::to_string(::getuid());
    const std::string group = std::to_string(::getgid());
    if (::unshare(CLONE_NEWNS) != 0) {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        writeFile("/proc/self/setgroups", "deny");
        writeFile("/proc/self/uid_map", "0 " + user + " 1");
        writeFile("/proc/self/gid_map", "0 " + group + " 1");
    }
    return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// Runs `test` in a process of its own that has an empty file system of `size` on `folder`.
/// Returns its exit code: 0, or kNotPossible where the system does not allow it.
int onSmallDisk(const std::filesystem::path& folder, const char* size,
                const std::function<void()>& test)
{
    const pid_t child = ::fork();
    if (child == 0) {
        const std::string options = std::string("size=") + size;
        if (!ownMounts() || ::mount("none", folder.c_str(), "tmpfs", 0, options.c_str()) != 0)
            ::_exit(kNotPossible);
        try {
            test();
        } catch (const Error& error) {
            std::fprintf(stderr, "%s (%s)\n", error.what(), error.detail().c_str());
            ::_exit(1);
        }
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void checkResult(int result)
{
    if (result == kNotPossible)
        MESSAGE("SKIP: this system does not let a test mount a small disk");
    else
        CHECK(result == 0);
}

LibraryOptions smallReserve()
{
    return {.reserveBytes = 2 << 20, .dailyCopies = 1};
}

RecordId addContext(Library& library, RecordId document, std::uint32_t seed)
{
    const RecordId id = library.beginContext(tests::sampleContext(document));
    library.writeSegment(id, 0, tests::sampleBytes(700'000, seed));
    library.finishContext(id, tests::sampleContext(document));
    return id;
}

/// Adds contexts until the disk is full; returns those that were acknowledged.
std::vector<RecordId> fillWithContexts(Library& library, RecordId document)
{
    std::vector<RecordId> ready;
    try {
        for (std::uint32_t i = 0; i < 100; ++i)
            ready.push_back(addContext(library, document, i));
    } catch (const Error& error) {
        require(error.code() == ErrorCode::DiskFull, error.what());
        require(std::string(error.what()).find("is full") != std::string::npos, error.what());
        return ready;
    }
    throw Error(ErrorCode::Internal, "the disk never got full");
}

void fillWithForeignFile(const std::filesystem::path& file)
{
    std::ofstream output(file, std::ios::binary);
    const std::string block(4096, 'x');
    while (output.write(block.data(), 4096).flush()) {
    }
}

void fillRemoveAndGoOn(const std::filesystem::path& folder)
{
    const auto library = Library::open(folder, OpenMode::ReadWrite, smallReserve());
    const RecordId document = library->addDocument(tests::sampleDocument("alpha", 70), "a").id;
    for (int round = 0; round < 5; ++round) {
        const auto ready = fillWithContexts(*library, document);
        require(ready.size() >= 3, "too few contexts fitted");
        fillWithForeignFile(folder / "foreign");
        for (const RecordId id : ready)
            require(library->verifyContext(id).empty(), "a context was lost");
        for (const auto& context : library->contexts())
            library->removeContext(context.id); // on a disk without a free byte
        std::filesystem::remove(folder / "foreign");
        require(library->contexts().empty(), "contexts are still there");
        tests::readEverything(*library);
    }
    addContext(*library, document, 1);
}

void openOnFullDisk(const std::filesystem::path& folder)
{
    RecordId document = 0;
    {
        const auto library = Library::open(folder, OpenMode::ReadWrite, smallReserve());
        document = library->addDocument(tests::sampleDocument("alpha", 70), "a").id;
        library->addDocument(tests::sampleDocument("beta", 70), "b");
        addContext(*library, document, 1);
    }
    fillWithForeignFile(folder / "foreign");
    const auto library = Library::open(folder, OpenMode::ReadWrite, smallReserve());
    require(!library->readOnly(), library->notice());
    tests::readEverything(*library);
    library->removeDocument(document);
    require(library->documents().size() == 1 && library->contexts().empty(), "not removed");
}

void openReadOnlyMedium(const std::filesystem::path& folder)
{
    const std::filesystem::path closed = folder / "closed";
    const std::filesystem::path crashed = folder / "crashed";
    {
        const auto library = Library::open(closed, OpenMode::ReadWrite, smallReserve());
        library->addDocument(tests::sampleDocument("alpha", 70), "a");
        library->setSetting("a", "b");
        std::filesystem::copy(closed, crashed); // as kill -9 would leave it, with its log
        std::filesystem::remove(crashed / "library.db-shm");
    }
    require(::mount("none", folder.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0,
            "cannot make the disk read-only");
    for (const OpenMode mode : {OpenMode::ReadWrite, OpenMode::ReadOnly}) {
        const auto library = Library::open(closed, mode, smallReserve());
        require(library->readOnly(), "not read-only");
        require(mode == OpenMode::ReadOnly || !library->notice().empty(), "says nothing");
        require(library->documents().size() == 1, "the document is missing");
        require(library->search("alpha").size() == 50, "cannot search");
        tests::readEverything(*library);
    }
    try {
        Library::open(crashed);
        require(false, "opened without its log");
    } catch (const Error& error) {
        require(error.code() == ErrorCode::ReadOnly, error.what());
    }
    try {
        Library::open(folder / "new");
        require(false, "made a folder on a read-only disk");
    } catch (const Error& error) {
        require(error.code() == ErrorCode::ReadOnly, error.what());
    }
}

} // namespace

TEST_CASE("on a full disk everything is still there, can be removed, and work goes on")
{
    const tests::TemporaryFolder folder;
    checkResult(onSmallDisk(folder.path(), "10m", [&] { fillRemoveAndGoOn(folder.path()); }));
}

TEST_CASE("a library opens on a full disk, and removing works")
{
    const tests::TemporaryFolder folder;
    checkResult(onSmallDisk(folder.path(), "10m", [&] { openOnFullDisk(folder.path()); }));
}

TEST_CASE("a library on a read-only medium opens for reading")
{
    const tests::TemporaryFolder folder;
    checkResult(onSmallDisk(folder.path(), "20m", [&] { openReadOnlyMedium(folder.path()); }));
}
