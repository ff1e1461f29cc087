#include "app/library/library.h"
#include "app/store/database.h"
#include "engine/error.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/store/temporary_folder.h"

#include <sqlite3.h>

#include <algorithm>
#include <doctest/doctest.h>
#include <stdlib.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using app::Library;
using app::LibraryOptions;
using app::OpenMode;
using app::RecordId;
using engine::Error;
using engine::ErrorCode;

namespace {

/// The code of the error and, in `sentence`, what a person reads.
ErrorCode openError(const std::filesystem::path& folder, OpenMode mode, std::string& sentence)
{
    try {
        Library::open(folder, mode);
    } catch (const Error& error) {
        sentence = error.what();
        return error.code();
    }
    FAIL("opened");
    return ErrorCode::Internal;
}

void runSql(const std::filesystem::path& file, const char* sql)
{
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &handle) == SQLITE_OK);
    REQUIRE(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(handle);
}

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

RecordId fill(const std::filesystem::path& folder)
{
    const auto library = Library::open(folder);
    return library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
}

} // namespace

TEST_CASE("the default data folder follows the XDG rules")
{
    ::setenv("HOME", "/home/reader", 1);
    ::setenv("XDG_DATA_HOME", "/data", 1);
    CHECK(app::defaultDataDirectory() == "/data/epitome");
    ::setenv("XDG_DATA_HOME", "relative", 1);
    CHECK(app::defaultDataDirectory() == "/home/reader/.local/share/epitome");
    ::unsetenv("XDG_DATA_HOME");
    CHECK(app::defaultDataDirectory() == "/home/reader/.local/share/epitome");
}

TEST_CASE("a new folder is made, and only for writing")
{
    const tests::TemporaryFolder folder;
    const auto dataDir = folder.path() / "one" / "two";
    std::string sentence;
    CHECK(openError(dataDir, OpenMode::ReadOnly, sentence) == ErrorCode::NotFound);
    CHECK(contains(sentence, dataDir.string()));
    CHECK_FALSE(std::filesystem::exists(dataDir));
    const auto library = Library::open(dataDir);
    CHECK_FALSE(library->readOnly());
    CHECK(library->notice().empty());
    CHECK(library->documents().empty());
    CHECK(library->dataDirectory() == dataDir);
}

TEST_CASE("a second instance is refused, a reader is not")
{
    const tests::TemporaryFolder folder;
    fill(folder.path());
    const auto library = Library::open(folder.path());
    std::string sentence;
    CHECK(openError(folder.path(), OpenMode::ReadWrite, sentence) == ErrorCode::InUse);
    CHECK(contains(sentence, "another Epitome"));

    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        bool good = false;
        try {
            Library::open(folder.path());
        } catch (const Error& error) {
            good = error.code() == ErrorCode::InUse;
        }
        const auto reader = Library::open(folder.path(), OpenMode::ReadOnly);
        good = good && reader->readOnly() && reader->documents().size() == 1;
        ::_exit(good ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    library->addDocument(tests::sampleDocument("beta"), "b.pdf");
    CHECK(library->documents().size() == 2);
}

TEST_CASE("of many that start at once exactly one writes")
{
    const tests::TemporaryFolder folder;
    for (int round = 0; round < 5; ++round) {
        int result[2] = {};
        int go[2] = {};
        REQUIRE(::pipe(result) == 0);
        REQUIRE(::pipe(go) == 0);
        constexpr int kStarters = 6;
        for (int i = 0; i < kStarters; ++i) {
            if (::fork() != 0)
                continue;
            ::close(go[1]);
            char outcome = 0;
            std::unique_ptr<Library> library;
            try {
                library = Library::open(folder.path());
                outcome = 'w';
            } catch (const Error& error) {
                outcome = error.code() == ErrorCode::InUse ? 'u' : '?';
            }
            if (::write(result[1], &outcome, 1) == 1)
                static_cast<void>(::read(go[0], &outcome, 1)); // until all have tried
            ::_exit(0);
        }
        std::string outcomes(kStarters, ' ');
        for (char& outcome : outcomes)
            REQUIRE(::read(result[0], &outcome, 1) == 1);
        for (const int end : {result[0], result[1], go[0], go[1]})
            ::close(end);
        for (int i = 0; i < kStarters; ++i)
            ::wait(nullptr);
        CHECK(std::ranges::count(outcomes, 'w') == 1);
        CHECK(std::ranges::count(outcomes, 'u') == kStarters - 1);
    }
}

TEST_CASE("a library opened for reading refuses every change and stays as it is")
{
    const tests::TemporaryFolder folder;
    const RecordId id = fill(folder.path());
    const auto library = Library::open(folder.path(), OpenMode::ReadOnly);
    CHECK(library->readOnly());
    const auto refused = [](auto&& change) {
        try {
            change();
            FAIL("changed");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::ReadOnly);
        }
    };
    refused([&] { library->addDocument(tests::sampleDocument("beta"), "b.pdf"); });
    refused([&] { library->removeDocument(id); });
    refused([&] { library->renameDocument(id, "x"); });
    refused([&] { library->beginContext(tests::sampleContext(id)); });
    refused([&] { library->startConversation(id, 0); });
    refused([&] { library->enqueueJob({}); });
    refused([&] { library->setSetting("a", "b"); });
    tests::readEverything(*library);
    CHECK(library->search("alpha").size() == 3);
    CHECK(library->contexts().empty());
}

TEST_CASE("files of a newer program open for reading and say so")
{
    for (const char* name : {"library.db", "contexts.db"}) {
        const tests::TemporaryFolder folder;
        fill(folder.path());
        runSql(folder.path() / name, "PRAGMA user_version = 1000");
        const auto library = Library::open(folder.path());
        CHECK(library->readOnly());
        CHECK(contains(library->notice(), "newer version"));
        CHECK(contains(library->notice(), name));
        CHECK(library->documents().size() == 1);
        CHECK_THROWS_AS(library->setSetting("a", "b"), Error);
    }
}

TEST_CASE("a file of another program is refused")
{
    const tests::TemporaryFolder folder;
    runSql(folder.path() / "library.db", "CREATE TABLE t (a)");
    std::string sentence;
    CHECK(openError(folder.path(), OpenMode::ReadWrite, sentence) == ErrorCode::Unsupported);
    CHECK(contains(sentence, "another program"));
}

TEST_CASE("one copy a day, and not more than asked for")
{
    const tests::TemporaryFolder folder;
    fill(folder.path());
    const auto backups = folder.path() / "backups";
    std::filesystem::create_directories(backups);
    for (const char* day : {"2001-01-01", "2001-01-02", "2001-01-03", "2001-01-04"})
        runSql(backups / ("library-day-" + std::string(day) + ".db"), "CREATE TABLE t (a)");
    LibraryOptions options;
    options.dailyCopies = 3;
    const auto filesIn = [](const std::filesystem::path& where) {
        return std::distance(std::filesystem::directory_iterator(where), {});
    };
    Library::open(folder.path(), OpenMode::ReadWrite, options);
    CHECK(filesIn(backups) == 3);
    CHECK_FALSE(std::filesystem::exists(backups / "library-day-2001-01-02.db"));
    CHECK(std::filesystem::exists(backups / "library-day-2001-01-04.db"));

    // A copy is a library like any other.
    std::filesystem::path newest;
    for (const auto& entry : std::filesystem::directory_iterator(backups))
        newest = std::max(newest, entry.path());
    const tests::TemporaryFolder other;
    std::filesystem::copy(newest, other.path() / "library.db");
    const auto restored = Library::open(other.path());
    tests::readEverything(*restored);
    CHECK(restored->documents().size() == 1);
}

TEST_CASE("contexts of documents that are gone are swept at the start")
{
    const tests::TemporaryFolder folder;
    const RecordId id = fill(folder.path());
    RecordId context = 0;
    {
        const auto library = Library::open(folder.path());
        context = library->beginContext(tests::sampleContext(id));
    }
    runSql(folder.path() / "contexts.db", "UPDATE context SET document = 12345");
    const auto library = Library::open(folder.path());
    CHECK(library->kindOf(context) == app::RecordKind::None);
    CHECK(library->contexts().empty());
}
