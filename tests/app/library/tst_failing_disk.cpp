#include "engine/error.h"
#include "tests/app/library/fault_vfs.h"
#include "tests/app/library/scenario.h"
#include "tests/app/store/temporary_folder.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <memory>
#include <string>

using app::Library;
using app::LibraryOptions;
using app::OpenMode;
using app::RecordId;
using engine::Error;
using engine::ErrorCode;
using tests::Event;
using tests::Fault;
using tests::FaultVfs;

namespace {

constexpr std::int64_t kPoints = 120; // moments of failure that are tried

LibraryOptions failingOptions(const FaultVfs& vfs)
{
    // Copies and reserve are files of their own, which the VFS does not see.
    return {.reserveBytes = 0, .dailyCopies = 0, .vfs = vfs.name()};
}

/// Two rounds of work, or as much as the disk allows.
struct Run
{
    std::vector<Event> events;
    bool ended = false;
    std::int64_t operations = 0; // of the VFS
    ErrorCode code = ErrorCode::Cancelled;
    bool savedAfterwards = false;
};

Run workOn(const std::filesystem::path& folder, const FaultVfs& vfs)
{
    Run run;
    std::unique_ptr<Library> library;
    try {
        library = Library::open(folder, OpenMode::ReadWrite, failingOptions(vfs));
        RecordId before = 0;
        for (int round = 0; round < 2; ++round)
            before = tests::workOneRound(*library, round, before,
                                         [&](const Event& event) { run.events.push_back(event); });
        run.ended = true;
    } catch (const Error& error) {
        run.code = error.code();
    }
    run.operations = vfs.operations();
    try {
        if (library)
            library->setSetting("after", "the failure");
        run.savedAfterwards = library != nullptr;
    } catch (const Error&) {
    }
    return run;
}

std::int64_t countOperations(FaultVfs& vfs)
{
    const tests::TemporaryFolder folder;
    vfs.failAt(0, Fault::None);
    const Run run = workOn(folder.path(), vfs);
    REQUIRE(run.ended);
    return run.operations;
}

void checkAndGoOn(const std::filesystem::path& folder, FaultVfs& vfs,
                  const std::vector<Event>& events)
{
    vfs.failAt(0, Fault::None);
    const auto library = Library::open(folder, OpenMode::ReadWrite, failingOptions(vfs));
    REQUIRE_NOTHROW(tests::checkAcknowledged(*library, events));
    CHECK_NOTHROW(tests::workOneRound(*library, 9, 0, [](const Event&) {}));
}

} // namespace

TEST_CASE("a full disk at any write loses nothing, and work goes on when there is space")
{
    FaultVfs vfs;
    const std::int64_t operations = countOperations(vfs);
    REQUIRE(operations > kPoints);
    std::int64_t refused = 0;
    for (std::int64_t point = 0; point < kPoints; ++point) {
        const tests::TemporaryFolder folder;
        vfs.failAt(1 + point * operations / kPoints, Fault::DiskFull);
        const Run run = workOn(folder.path(), vfs);
        CAPTURE(point);
        REQUIRE(vfs.failed());
        if (!run.ended) {
            ++refused;
            CHECK(run.code == ErrorCode::DiskFull);
        }
        CHECK((run.savedAfterwards || run.events.empty()));
        checkAndGoOn(folder.path(), vfs, run.events);
    }
    CHECK(refused > kPoints / 3); // the rest hit a clean-up, which is made up for later
}

TEST_CASE("a failing disk at any write loses nothing that was acknowledged")
{
    FaultVfs vfs;
    const std::int64_t operations = countOperations(vfs);
    std::int64_t refused = 0;
    for (std::int64_t point = 0; point < kPoints; ++point) {
        const tests::TemporaryFolder folder;
        vfs.failAt(1 + point * operations / kPoints, Fault::WriteError);
        const Run run = workOn(folder.path(), vfs);
        CAPTURE(point);
        if (!run.ended) {
            ++refused;
            CHECK(run.code == ErrorCode::Damaged);
        }
        checkAndGoOn(folder.path(), vfs, run.events);
    }
    CHECK(refused > kPoints / 3);
}

TEST_CASE("a power cut at any write loses nothing that was acknowledged")
{
    FaultVfs vfs;
    const std::int64_t operations = countOperations(vfs);
    std::size_t acknowledged = 0;
    for (std::int64_t point = 0; point < kPoints; ++point) {
        const tests::TemporaryFolder folder;
        const tests::TemporaryFolder survivors;
        vfs.failAt(1 + point * operations / kPoints, Fault::PowerCut);
        const Run run = workOn(folder.path(), vfs);
        CAPTURE(point);
        CHECK_FALSE(run.ended);
        CHECK_FALSE(run.savedAfterwards);
        vfs.writeSurvivors(survivors.path(), static_cast<std::uint32_t>(point));
        const auto library = Library::open(survivors.path());
        CHECK_FALSE(library->readOnly());
        CHECK(library->notice().empty());
        REQUIRE_NOTHROW(tests::checkAcknowledged(*library, run.events));
        acknowledged += run.events.size();
    }
    CHECK(acknowledged > 1000);
}

TEST_CASE("the power cut is a real one: with synchronous=NORMAL it loses commits")
{
    FaultVfs vfs;
    int lossy = 0;
    for (int point = 1; point <= 40; ++point) {
        const tests::TemporaryFolder folder;
        const tests::TemporaryFolder survivors;
        vfs.failAt(20 + point * 3, Fault::PowerCut);
        sqlite3* handle = nullptr;
        const auto file = folder.path() / "a.db";
        sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        vfs.name());
        sqlite3_exec(handle,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                     "CREATE TABLE t (a)",
                     nullptr, nullptr, nullptr);
        int committed = 0;
        while (committed < 500 && sqlite3_exec(handle, "INSERT INTO t VALUES (1)", nullptr, nullptr,
                                               nullptr) == SQLITE_OK)
            ++committed;
        sqlite3_close(handle);
        vfs.writeSurvivors(survivors.path(), static_cast<std::uint32_t>(point));

        sqlite3_open((survivors.path() / "a.db").c_str(), &handle);
        int found = 0;
        const auto count = [](void* result, int, char** values, char**) {
            *static_cast<int*>(result) = std::stoi(values[0]);
            return 0;
        };
        sqlite3_exec(handle, "SELECT count(*) FROM t", count, &found, nullptr);
        sqlite3_close(handle);
        lossy += found < committed ? 1 : 0;
    }
    CHECK(lossy > 10);
}
