#include "app/store/checksum.h"
#include "app/store/directory_lock.h"
#include "app/store/reserve_file.h"
#include "engine/error.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>
#include <optional>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using app::DirectoryLock;

namespace {

bool canLock(const std::filesystem::path& folder)
{
    try {
        const DirectoryLock lock(folder);
    } catch (const engine::Error& error) {
        CHECK(error.code() == engine::ErrorCode::InUse);
        return false;
    }
    return true;
}

} // namespace

TEST_CASE("one lock at a time")
{
    const tests::TemporaryFolder folder;
    {
        const DirectoryLock lock(folder.path());
        CHECK_FALSE(canLock(folder.path()));
    }
    CHECK(canLock(folder.path()));
    CHECK_THROWS_AS(DirectoryLock(folder.path() / "none"), engine::Error);
}

TEST_CASE("a lock goes with the process that held it")
{
    const tests::TemporaryFolder folder;
    int ready[2] = {};
    REQUIRE(::pipe(ready) == 0);
    const pid_t holder = ::fork();
    REQUIRE(holder >= 0);
    if (holder == 0) {
        const DirectoryLock lock(folder.path());
        const char done = 1;
        if (::write(ready[1], &done, 1) == 1)
            ::pause();
        ::_exit(1);
    }
    char done = 0;
    REQUIRE(::read(ready[0], &done, 1) == 1);
    CHECK_FALSE(canLock(folder.path()));
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
    CHECK(canLock(folder.path()));
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_CASE("the reserve holds real space until it is released")
{
    const tests::TemporaryFolder folder;
    const auto file = folder.path() / "reserve";
    app::ReserveFile reserve(file, 1 << 20);
    REQUIRE(reserve.acquire());
    struct stat status = {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK(status.st_size == 1 << 20);
    CHECK(status.st_blocks * 512 >= 1 << 20); // no holes
    CHECK(reserve.acquire());
    CHECK(reserve.release());
    CHECK_FALSE(std::filesystem::exists(file));
    CHECK_FALSE(reserve.release());
}

TEST_CASE("a checksum belongs to bytes and place")
{
    std::vector<std::byte> bytes(1000, std::byte{42});
    const auto sum = app::checksumOf(bytes, "segment", 7, 3);
    CHECK(app::equalBytes(sum, app::checksumOf(bytes, "segment", 7, 3)));
    CHECK_FALSE(app::equalBytes(sum, app::checksumOf(bytes, "checkpoint", 7, 3)));
    CHECK_FALSE(app::equalBytes(sum, app::checksumOf(bytes, "segment", 8, 3)));
    CHECK_FALSE(app::equalBytes(sum, app::checksumOf(bytes, "segment", 7, 4)));
    CHECK_FALSE(app::equalBytes(sum, app::checksumOf(bytes, "segment", 7, 3, "name")));
    bytes[999] ^= std::byte{1};
    CHECK_FALSE(app::equalBytes(sum, app::checksumOf(bytes, "segment", 7, 3)));
}
