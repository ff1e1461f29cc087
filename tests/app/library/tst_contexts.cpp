#include "app/library/library.h"
#include "engine/error.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/store/temporary_folder.h"

#include <sqlite3.h>

#include <doctest/doctest.h>
#include <string>

using app::ContextState;
using app::Library;
using app::RecordId;
using engine::Error;
using engine::ErrorCode;
using tests::sampleBytes;

namespace {

ErrorCode codeOf(auto&& action)
{
    try {
        action();
    } catch (const Error& error) {
        return error.code();
    }
    return ErrorCode::Cancelled; // no error of the library
}

RecordId readyContext(Library& library, RecordId documentId)
{
    const app::ContextRecord record = tests::sampleContext(documentId);
    const RecordId id = library.beginContext(record);
    for (std::uint32_t i = 0; i < 3; ++i)
        library.writeSegment(id, i, sampleBytes(200'000, i));
    library.putContextBlob(id, "retention", sampleBytes(5000, 9));
    library.finishContext(id, record);
    return id;
}

/// Changes the file behind the library's back, as a bad disk would.
void alter(const std::filesystem::path& dataDir, const std::string& sql)
{
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open((dataDir / "contexts.db").c_str(), &handle) == SQLITE_OK);
    REQUIRE(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(handle);
}

} // namespace

TEST_CASE("a context goes from preparing over checkpoints to ready")
{
    const tests::TemporaryFolder folder;
    auto library = Library::open(folder.path());
    const RecordId document = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    app::ContextRecord record = tests::sampleContext(document);
    const RecordId id = library->beginContext(record);
    CHECK(library->kindOf(id) == app::RecordKind::Context);
    CHECK(library->context(id).state == ContextState::Preparing);

    const std::size_t large = (20U << 20U) + 17; // more than two pieces
    library->appendCheckpoint(id, 0, sampleBytes(1000, 1));
    library->appendCheckpoint(id, 1, sampleBytes(large, 2));
    library->appendCheckpoint(id, 2, {});
    library->appendCheckpoint(id, 0, sampleBytes(3, 3)); // again
    library.reset();
    library = Library::open(folder.path());
    CHECK(library->checkpointCount(id) == 3);
    std::vector<std::vector<std::byte>> seen;
    library->checkpoints(id, [&](std::size_t index, std::span<const std::byte> bytes) {
        CHECK(index == seen.size());
        seen.emplace_back(bytes.begin(), bytes.end());
        return true;
    });
    REQUIRE(seen.size() == 3);
    CHECK(seen[0] == sampleBytes(3, 3));
    CHECK(seen[1] == sampleBytes(large, 2));
    CHECK(seen[2].empty());

    library->writeSegment(id, 0, sampleBytes(1 << 20, 4));
    library->writeSegment(id, 1, sampleBytes(77, 5));
    library->putContextBlob(id, "identity", sampleBytes(10, 6));
    record.tokens = 31999;
    library->finishContext(id, record);

    const app::ContextRecord ready = library->context(id);
    CHECK(ready.state == ContextState::Ready);
    CHECK(ready.segments == 2);
    CHECK(ready.bytesStored == (1 << 20) + 77 + 10);
    CHECK(ready.tokens == 31999);
    CHECK(ready.modelPath == record.modelPath);
    CHECK(ready.settings == record.settings);
    CHECK(ready.keep == record.keep);
    CHECK(ready.keptFraction == record.keptFraction);
    CHECK(ready.peakBytes == record.peakBytes);
    CHECK(library->checkpointCount(id) == 0);
    CHECK(library->segmentCount(id) == 2);
    CHECK(library->readSegment(id, 0) == sampleBytes(1 << 20, 4));
    CHECK(library->readSegment(id, 1) == sampleBytes(77, 5));
    CHECK(library->contextBlob(id, "identity") == sampleBytes(10, 6));
    CHECK_FALSE(library->contextBlob(id, "other").has_value());
    CHECK(library->verifyContext(id).empty());
    CHECK(library->contexts(document).size() == 1);
    CHECK(library->contexts(document + 1000).empty());
}

TEST_CASE("dropped checkpoints do not come back")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const RecordId document = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    const RecordId id = library->beginContext(tests::sampleContext(document));
    for (std::uint32_t i = 0; i < 5; ++i)
        library->appendCheckpoint(id, i, sampleBytes(100, i));
    library->dropCheckpoints(id, 2);
    CHECK(library->checkpointCount(id) == 2);
    library->appendCheckpoint(id, 3, sampleBytes(100, 3)); // behind a gap: of no use
    std::size_t visited = 0;
    library->checkpoints(id, [&](std::size_t, std::span<const std::byte>) {
        ++visited;
        return true;
    });
    CHECK(visited == 2);
}

TEST_CASE("mistakes of a caller are refused with a reason")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const RecordId document = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    CHECK(codeOf([&] { library->beginContext(tests::sampleContext(99)); }) == ErrorCode::NotFound);
    CHECK(codeOf([&] { library->writeSegment(99, 0, {}); }) == ErrorCode::NotFound);
    CHECK(codeOf([&] { library->readSegment(99, 0); }) == ErrorCode::NotFound);

    const RecordId id = readyContext(*library, document);
    CHECK(codeOf([&] { library->writeSegment(id, 0, {}); }) == ErrorCode::BadInput);
    CHECK(codeOf([&] { library->appendCheckpoint(id, 0, {}); }) == ErrorCode::BadInput);
    CHECK(codeOf([&] { library->putContextBlob(id, "x", {}); }) == ErrorCode::BadInput);
    CHECK(codeOf([&] { library->readSegment(id, 3); }) == ErrorCode::Damaged);

    const RecordId open = library->beginContext(tests::sampleContext(document));
    const std::vector<std::byte> tooLarge((64U << 20U) + 1);
    CHECK(codeOf([&] { library->writeSegment(open, 0, tooLarge); }) == ErrorCode::TooLarge);
    library->writeSegment(open, 1, sampleBytes(10, 1)); // segment 0 is missing
    CHECK(codeOf([&] { library->finishContext(open, tests::sampleContext(document)); }) ==
          ErrorCode::Damaged);
    CHECK(library->context(open).state == ContextState::Preparing);
}

TEST_CASE("every damage to a segment is found and named")
{
    const std::string damages[] = {
        "UPDATE segment SET data = zeroblob(length(data)) WHERE ordinal = 1",
        "UPDATE segment SET data = substr(data, 2) WHERE ordinal = 1",
        "UPDATE segment SET bytes = bytes - 1 WHERE ordinal = 1",
        "UPDATE segment SET checksum = x'00' WHERE ordinal = 1",
        "UPDATE segment SET ordinal = 10 - ordinal WHERE ordinal < 2;"
        "UPDATE segment SET ordinal = ordinal - 9 WHERE ordinal = 10;"
        "UPDATE segment SET ordinal = 0 WHERE ordinal = 9", // 0 and 1 exchanged
        "DELETE FROM segment WHERE ordinal = 1",
    };
    for (const std::string& damage : damages) {
        CAPTURE(damage);
        const tests::TemporaryFolder folder;
        RecordId id = 0;
        RecordId other = 0;
        {
            const auto library = Library::open(folder.path());
            const RecordId document =
                library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
            id = readyContext(*library, document);
            other = library->beginContext(tests::sampleContext(document));
        }
        alter(folder.path(), damage);
        const auto library = Library::open(folder.path());
        CHECK(codeOf([&] { library->readSegment(id, 1); }) == ErrorCode::Damaged);
        const std::string sentence = library->verifyContext(id);
        CHECK(sentence.find("segment") != std::string::npos);
        CHECK(library->context(id).state == ContextState::Damaged);
        CHECK(library->context(id).stateText == sentence);
        CHECK(library->verifyContext(other).empty());
    }
}

TEST_CASE("every single flipped bit of a segment or blob is found")
{
    const tests::TemporaryFolder folder;
    RecordId id = 0;
    {
        const auto library = Library::open(folder.path());
        const RecordId document = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
        id = readyContext(*library, document);
    }
    std::uint32_t random = 5;
    for (int flip = 0; flip < 100; ++flip) {
        random = random * 1664525U + 1013904223U;
        const std::uint32_t segment = flip % 3;
        std::vector<std::byte> bytes = sampleBytes(200'000, segment);
        bytes[(random >> 3U) % bytes.size()] ^= static_cast<std::byte>(1U << (random & 7U));
        sqlite3* handle = nullptr;
        REQUIRE(sqlite3_open((folder.path() / "contexts.db").c_str(), &handle) == SQLITE_OK);
        sqlite3_blob* blob = nullptr;
        REQUIRE(sqlite3_blob_open(handle, "main", "segment", "data", segment + 1, 1, &blob) ==
                SQLITE_OK);
        REQUIRE(sqlite3_blob_write(blob, bytes.data(), static_cast<int>(bytes.size()), 0) ==
                SQLITE_OK);
        const auto library = Library::open(folder.path(), app::OpenMode::ReadOnly);
        sqlite3_blob_close(blob);
        CHECK(codeOf([&] { library->readSegment(id, segment); }) == ErrorCode::Damaged);
        CHECK_FALSE(library->verifyContext(id).empty());
        bytes = sampleBytes(200'000, segment);
        REQUIRE(sqlite3_blob_open(handle, "main", "segment", "data", segment + 1, 1, &blob) ==
                SQLITE_OK);
        REQUIRE(sqlite3_blob_write(blob, bytes.data(), static_cast<int>(bytes.size()), 0) ==
                SQLITE_OK);
        sqlite3_blob_close(blob);
        sqlite3_close(handle);
    }
    CHECK(Library::open(folder.path())->verifyContext(id).empty());
}

TEST_CASE("removed contexts give their space back, and their conversations stay")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const RecordId document = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    const RecordId first = readyContext(*library, document);
    const RecordId second = readyContext(*library, document);
    const RecordId conversation = library->startConversation(document, first);
    const auto before = std::filesystem::file_size(folder.path() / "contexts.db");
    library->removeContext(first);
    CHECK(std::filesystem::file_size(folder.path() / "contexts.db") < before * 2 / 3);
    CHECK(library->verifyContext(second).empty());
    CHECK(library->conversation(conversation).contextId == first);
    CHECK(library->kindOf(first) == app::RecordKind::None);
    CHECK_THROWS_AS(library->removeContext(first), Error);
}
