#include "app/store/database.h"
#include "engine/error.h"
#include "tests/app/store/temporary_folder.h"

#include <array>
#include <doctest/doctest.h>
#include <fstream>
#include <vector>

using app::Database;
using app::DatabaseAccess;
using app::DatabaseOptions;
using app::Statement;
using app::Transaction;
using engine::Error;
using engine::ErrorCode;

namespace {

constexpr DatabaseAccess kWrite = DatabaseAccess::Write;

DatabaseOptions options(DatabaseAccess access = kWrite)
{
    return {.access = access, .applicationId = 0x54455354, .pageSize = 16384};
}

ErrorCode codeOf(auto&& action)
{
    try {
        action();
    } catch (const Error& error) {
        return error.code();
    }
    FAIL("nothing was thrown");
    return ErrorCode::Internal;
}

} // namespace

TEST_CASE("a writing connection has the settings that make a commit durable")
{
    const tests::TemporaryFolder folder;
    Database database(folder.path() / "a.db", options());
    CHECK(database.integer("PRAGMA synchronous") == 2);
    CHECK(database.integer("PRAGMA mmap_size").value_or(0) == 0);
    CHECK(database.integer("PRAGMA foreign_keys") == 1);
    CHECK(database.integer("PRAGMA trusted_schema") == 0);
    CHECK(database.integer("PRAGMA cell_size_check") == 1);
    CHECK(database.integer("PRAGMA secure_delete") == 1);
    CHECK(database.integer("PRAGMA page_size") == 16384);
    CHECK(database.integer("PRAGMA auto_vacuum") == 2);
    CHECK(database.integer("PRAGMA application_id") == 0x54455354);
    Statement mode = database.prepare("PRAGMA journal_mode");
    REQUIRE(mode.step());
    CHECK(mode.text(0) == "wal");
}

TEST_CASE("values of every type come back as they were bound")
{
    const tests::TemporaryFolder folder;
    Database database(folder.path() / "a.db", options());
    database.runScript("CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e BLOB, f TEXT)");
    const std::array<std::byte, 3> bytes = {std::byte{0}, std::byte{255}, std::byte{7}};
    const std::string text("x\0y", 3);
    database.run("INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5, ?6)", -5, 0.25, text, bytes, nullptr,
                 std::string_view());
    Statement row = database.prepare("SELECT a, b, c, d, e, f, e IS NULL, f IS NULL FROM t");
    REQUIRE(row.step());
    CHECK(row.integer(0) == -5);
    CHECK(row.real(1) == 0.25);
    CHECK(row.text(2) == text);
    CHECK(std::vector(row.bytes(3).begin(), row.bytes(3).end()) ==
          std::vector(bytes.begin(), bytes.end()));
    CHECK(row.bytes(4).empty());
    CHECK(row.integer(6) == 1);
    CHECK(row.integer(7) == 0); // empty text is not NULL
    CHECK(codeOf([&] { row.size(0); }) == ErrorCode::Damaged);
    CHECK_FALSE(row.step());
}

TEST_CASE("a transaction without commit leaves nothing")
{
    const tests::TemporaryFolder folder;
    Database database(folder.path() / "a.db", options());
    database.runScript("CREATE TABLE t (a)");
    {
        const Transaction transaction(database);
        database.run("INSERT INTO t VALUES (1)");
    }
    CHECK(database.integer("SELECT count(*) FROM t") == 0);
    Transaction transaction(database);
    database.run("INSERT INTO t VALUES (1)");
    transaction.commit();
    CHECK(database.integer("SELECT count(*) FROM t") == 1);
}

TEST_CASE("a reader sees commits, cannot write, and leaves the log alone")
{
    const tests::TemporaryFolder folder;
    const auto file = folder.path() / "a.db";
    Database writer(file, options());
    writer.runScript("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    Database reader(file, options(DatabaseAccess::Read));
    CHECK(reader.readOnly());
    CHECK(reader.integer("SELECT a FROM t") == 1);
    writer.run("INSERT INTO t VALUES (2)");
    CHECK(reader.integer("SELECT count(*) FROM t") == 2);
    CHECK(reader.integer("PRAGMA wal_autocheckpoint") == 0);
    CHECK(codeOf([&] { const Transaction transaction(reader); }) == ErrorCode::ReadOnly);
    CHECK(codeOf([&] { reader.run("DELETE FROM t"); }) == ErrorCode::ReadOnly);
}

TEST_CASE("an immutable file opens with a name full of special characters")
{
    const tests::TemporaryFolder folder;
    const auto file = folder.path() / "a ?#%41 ü.db";
    {
        const Database writer(file, options());
        writer.runScript("CREATE TABLE t (a); INSERT INTO t VALUES (7)");
    }
    const Database reader(file, options(DatabaseAccess::Immutable));
    CHECK(reader.integer("SELECT a FROM t") == 7);
    CHECK_FALSE(std::filesystem::exists(file.string() + "-shm"));
}

TEST_CASE("files that are not ours are refused and stay as they are")
{
    const tests::TemporaryFolder folder;
    const auto foreign = folder.path() / "foreign.db";
    {
        DatabaseOptions other = options();
        other.applicationId = 99;
        const Database database(foreign, other);
        database.runScript("CREATE TABLE t (a)");
    }
    CHECK(codeOf([&] { const Database database(foreign, options()); }) == ErrorCode::Unsupported);

    const auto noise = folder.path() / "noise.db";
    std::ofstream(noise) << std::string(5000, 'x');
    CHECK(codeOf([&] { const Database database(noise, options()); }) == ErrorCode::Damaged);
    CHECK(std::filesystem::file_size(noise) == 5000);

    const auto missing = folder.path() / "none" / "a.db";
    CHECK(codeOf([&] { const Database database(missing, options()); }) == ErrorCode::NotFound);
}

TEST_CASE("large values are read without a second copy, and shrink gives space back")
{
    const tests::TemporaryFolder folder;
    const auto file = folder.path() / "a.db";
    Database database(file, options());
    database.runScript("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)");
    std::vector<std::byte> bytes(3'000'000);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>(i * 31 >> 3U);
    for (int row = 1; row <= 4; ++row)
        database.run("INSERT INTO t VALUES (?1, ?2)", row, bytes);
    CHECK(database.readBlob("t", "data", 3) == bytes);
    CHECK_THROWS_AS(database.readBlob("t", "data", 9), Error);

    CHECK(database.checkpoint());
    const auto before = std::filesystem::file_size(file);
    database.run("DELETE FROM t WHERE id < 4");
    database.shrink();
    CHECK(std::filesystem::file_size(file) < before / 3);
    CHECK(database.integer("PRAGMA freelist_count") == 0);
    CHECK(database.readBlob("t", "data", 4) == bytes);
    CHECK(database.quickCheck().empty());
}

TEST_CASE("a copy is complete, compact and appears under its name only then")
{
    const tests::TemporaryFolder folder;
    const Database database(folder.path() / "a.db", options());
    database.runScript("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)");
    const auto copy = folder.path() / "copy.db";
    database.copyTo(copy);
    CHECK_FALSE(std::filesystem::exists(copy.string() + ".part"));
    const Database opened(copy, options(DatabaseAccess::Read));
    CHECK(opened.integer("SELECT count(*) FROM t") == 2);
    CHECK_THROWS_AS(database.copyTo(folder.path() / "none" / "copy.db"), Error);
}
