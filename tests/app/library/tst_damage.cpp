#include "engine/error.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/library/scenario.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>
#include <fstream>
#include <memory>
#include <random>
#include <string>

using app::Library;
using app::LibraryOptions;
using app::OpenMode;
using app::RecordId;
using engine::Error;
using engine::ErrorCode;

namespace {

LibraryOptions quick()
{
    return {.reserveBytes = 0, .dailyCopies = 0};
}

void makeLibrary(const std::filesystem::path& folder)
{
    const auto library = Library::open(folder, OpenMode::ReadWrite, quick());
    RecordId before = 0;
    for (int round = 0; round < 3; ++round)
        before = tests::workOneRound(*library, round, 0, [](const tests::Event&) {});
    library->beginContext(tests::sampleContext(before));
}

void overwritePages(const std::filesystem::path& file, std::size_t pageBytes, std::size_t count,
                    std::mt19937& random)
{
    const std::size_t pages = std::filesystem::file_size(file) / pageBytes;
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    for (std::size_t i = 0; i < count; ++i) {
        const auto noise = tests::sampleBytes(pageBytes, static_cast<std::uint32_t>(random()));
        stream.seekp(static_cast<std::streamoff>(random() % pages * pageBytes));
        stream.write(reinterpret_cast<const char*>(noise.data()),
                     static_cast<std::streamsize>(pageBytes));
    }
}

/// Calls everything that reads; a failure may only be an Error. Returns how many calls failed.
int readAll(Library& library)
{
    int failures = 0;
    const auto attempt = [&](auto&& action) {
        try {
            action();
        } catch (const Error& error) {
            CHECK_FALSE(std::string(error.what()).empty());
            ++failures;
        }
    };
    attempt([&] { library.search("alpha number3"); });
    attempt([&] { library.jobs(); });
    attempt([&] { library.setting("a"); });
    attempt([&] {
        for (const auto& document : library.documents()) {
            attempt([&] { library.document(document.id); });
            attempt([&] { library.text(document.id); });
            attempt([&] { library.pages(document.id); });
            for (std::size_t page = 0; page < 70; ++page)
                attempt([&] { library.words(document.id, page); });
        }
    });
    attempt([&] {
        for (const auto& conversation : library.conversations())
            attempt([&] { library.messages(conversation.id); });
    });
    attempt([&] {
        for (const auto& context : library.contexts()) {
            attempt([&] { library.verifyContext(context.id); });
            attempt([&] { library.readSegment(context.id, 1); });
            attempt([&] { library.contextBlob(context.id, "state"); });
            attempt([&] { library.checkpoints(context.id, [](auto, auto) { return true; }); });
        }
    });
    return failures;
}

} // namespace

TEST_CASE("a damaged library is noticed at the start and never crashes")
{
    const tests::TemporaryFolder original;
    makeLibrary(original.path());
    std::mt19937 random(3);
    int refused = 0;
    int readable = 0;
    for (int trial = 0; trial < 80; ++trial) {
        CAPTURE(trial);
        const tests::TemporaryFolder folder;
        std::filesystem::copy(original.path(), folder.path());
        const auto file = folder.path() / "library.db";
        if (trial % 4 == 3)
            std::filesystem::resize_file(file, random() % std::filesystem::file_size(file));
        else
            overwritePages(file, 4096, 1 + random() % 6, random);
        try {
            const auto library = Library::open(folder.path(), OpenMode::ReadWrite, quick());
            CHECK((library->readOnly() || readAll(*library) == 0));
            CHECK((!library->readOnly() || library->notice().find("damaged") != std::string::npos));
            readAll(*library);
            ++readable;
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Damaged);
            CHECK(std::string(error.what()).find("library.db") != std::string::npos);
            ++refused;
        }
    }
    CHECK(readable > 20);
    CHECK(refused > 5);
}

TEST_CASE("damaged contexts never cost a document or a conversation")
{
    const tests::TemporaryFolder original;
    makeLibrary(original.path());
    std::mt19937 random(4);
    int movedAside = 0;
    int found = 0;
    int namesContexts = 0; // read without a lock, when nothing can be moved
    for (int trial = 0; trial < 80; ++trial) {
        CAPTURE(trial);
        const tests::TemporaryFolder folder;
        std::filesystem::copy(original.path(), folder.path());
        const auto file = folder.path() / "contexts.db";
        if (trial == 0)
            std::ofstream(file) << "no database";
        else if (trial % 4 == 3)
            std::filesystem::resize_file(file, random() % std::filesystem::file_size(file));
        else
            overwritePages(file, 16384, 1 + random() % 4, random);
        if (trial % 4 == 0) {
            const auto reader = Library::open(folder.path(), OpenMode::ReadOnly, quick());
            CHECK(reader->documents().size() == 3);
            CHECK(reader->conversations().size() == 3);
            namesContexts += reader->notice().find("contexts.db") != std::string::npos ? 1 : 0;
        }
        const auto library = Library::open(folder.path(), OpenMode::ReadWrite, quick());
        CHECK_FALSE(library->readOnly());
        CHECK(library->documents().size() == 3);
        CHECK(library->conversations().size() == 3);
        tests::readEverything(*library);
        if (library->notice().find("moved") != std::string::npos)
            ++movedAside;
        else
            for (const auto& context : library->contexts())
                found += library->verifyContext(context.id).empty() ? 0 : 1;
        readAll(*library);
        const RecordId document = library->documents().front().id;
        try {
            const RecordId id = library->beginContext(tests::sampleContext(document));
            library->writeSegment(id, 0, tests::sampleBytes(1000, 1));
            library->removeContext(id);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Damaged);
        }
    }
    CHECK(namesContexts > 0);
    CHECK(movedAside > 2);
    CHECK(found > 20);
}

TEST_CASE("a damaged library is named together with its newest copy")
{
    const tests::TemporaryFolder folder;
    makeLibrary(folder.path());
    Library::open(folder.path()); // makes the copy of the day
    std::ofstream(folder.path() / "library.db") << std::string(10'000, 'x');
    try {
        Library::open(folder.path());
        FAIL("opened");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::Damaged);
        CHECK(std::string(error.what()).find("library-day-") != std::string::npos);
    }
}
