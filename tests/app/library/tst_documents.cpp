#include "app/library/library.h"
#include "engine/error.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>

using app::Library;
using engine::Error;
using engine::ErrorCode;

TEST_CASE("a document comes back as it was imported, in this run and in the next")
{
    const tests::TemporaryFolder folder;
    const app::ImportedDocument document = tests::sampleDocument("alpha", 130);
    const std::filesystem::path source = "/books/al\xffpha.pdf"; // not UTF-8, as file names may be
    app::RecordId id = 0;
    {
        const auto library = Library::open(folder.path());
        const app::AddResult added = library->addDocument(document, source);
        id = added.id;
        CHECK(added.duplicateOf == 0);
    }
    const auto library = Library::open(folder.path());
    CHECK(library->kindOf(id) == app::RecordKind::Document);
    const app::DocumentRecord record = library->document(id);
    CHECK(record.title == document.title);
    CHECK(record.author == "Author");
    CHECK(record.path == source);
    CHECK(record.kind == app::DocumentKind::Pdf);
    CHECK(record.pages == 130);
    CHECK(record.words == document.wordCount);
    CHECK(record.textBytes == document.text.size());
    CHECK(record.fileSha256 == document.fileSha256);
    CHECK(record.textSha256 == document.textSha256);
    CHECK(record.state == app::DocumentState::Ready);
    CHECK(record.stateText.empty());
    CHECK(record.outline == document.outline);
    CHECK(record.warnings == document.warnings);
    CHECK(record.addedAt > 1'600'000'000'000);

    CHECK(library->text(id) == document.text);
    const auto pages = library->pages(id);
    REQUIRE(pages.size() == 130);
    for (const app::PageRecord& page : pages) {
        const app::ImportedPage& imported = document.pages[page.index];
        CHECK(page.label == imported.label);
        CHECK(page.range == imported.range);
        CHECK(page.width == imported.width);
        CHECK(page.hasText);
        CHECK(library->words(id, page.index) == imported.words);
    }
    REQUIRE(library->documents().size() == 1);
    CHECK(library->documents().front().id == id);
}

TEST_CASE("the page of a byte")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    app::ImportedDocument document = tests::sampleDocument("alpha", 3);
    const app::ByteRange second = document.pages[1].range;
    app::ImportedPage empty;
    empty.label = "empty";
    empty.range = {second.begin, second.begin};
    document.pages.insert(document.pages.begin() + 1, empty);
    const app::RecordId id = library->addDocument(document, "a.pdf").id;

    CHECK(library->pageOfByte(id, 0).index == 0);
    CHECK(library->pageOfByte(id, second.begin - 1).index == 0);
    CHECK(library->pageOfByte(id, second.begin).index == 2);
    CHECK(library->pageOfByte(id, second.end - 1).index == 2);
    CHECK(library->pageOfByte(id, second.end).index == 3);
    CHECK(library->pageOfByte(id, static_cast<std::size_t>(-1)).index == 3);
    CHECK_THROWS_AS(library->words(id, 4), Error);
}

TEST_CASE("a duplicate is found by file and by text")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const app::RecordId id = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;

    app::ImportedDocument sameFile = tests::sampleDocument("beta");
    sameFile.fileSha256 = tests::sampleDocument("alpha").fileSha256;
    CHECK(library->addDocument(sameFile, "b.pdf").duplicateOf == id);

    app::ImportedDocument sameText = tests::sampleDocument("gamma");
    sameText.textSha256 = tests::sampleDocument("alpha").textSha256;
    const app::AddResult result = library->addDocument(sameText, "c.epub");
    CHECK(result.duplicateOf == id);
    CHECK(result.id == id);
    CHECK(library->documents().size() == 1);
    CHECK(library->addDocument(tests::sampleDocument("delta"), "d.pdf").duplicateOf == 0);
}

TEST_CASE("pages without text are counted, and scans are not duplicates of each other")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    app::ImportedDocument partly = tests::sampleDocument("alpha", 4);
    partly.pagesWithoutText = 1;
    const app::RecordId id = library->addDocument(partly, "a.pdf").id;
    CHECK(library->document(id).state == app::DocumentState::PagesWithoutText);
    CHECK(library->document(id).stateText == "1 of 4 pages have no text.");

    for (const char* mark : {"scan1", "scan2"}) {
        app::ImportedDocument scan;
        scan.title = mark;
        scan.pages.resize(2);
        scan.pagesWithoutText = 2;
        scan.fileSha256 = mark;
        scan.textSha256 = "of nothing";
        const app::AddResult added = library->addDocument(scan, mark);
        CHECK(added.duplicateOf == 0);
        CHECK(library->document(added.id).state == app::DocumentState::NoText);
        CHECK_FALSE(library->document(added.id).stateText.empty());
    }
}

TEST_CASE("an import whose ranges do not fit is refused and leaves nothing")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const auto refuse = [&](auto&& spoil) {
        app::ImportedDocument document = tests::sampleDocument("alpha", 100);
        spoil(document);
        try {
            library->addDocument(document, "a.pdf");
            FAIL("accepted");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::BadInput);
        }
        CHECK(library->documents().empty());
    };
    refuse([](auto& d) { d.pages.clear(); });
    refuse([](auto& d) { d.text += "x"; });
    refuse([](auto& d) { d.pages[70].range.end += 1; });
    refuse([](auto& d) { d.pages[70].words[1].range.end = 1'000'000; });
    refuse([](auto& d) { std::swap(d.pages[3].words[0], d.pages[3].words[1]); });
}

TEST_CASE("a removed document takes contexts, conversations and jobs along")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const app::RecordId kept = library->addDocument(tests::sampleDocument("kept"), "k.pdf").id;
    const app::RecordId id = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    const app::RecordId context = library->beginContext(tests::sampleContext(id));
    library->beginContext(tests::sampleContext(kept));
    const app::RecordId conversation = library->startConversation(id, context);
    app::JobRecord job;
    job.kind = "prepare";
    job.documentId = id;
    library->enqueueJob(job);

    library->removeDocument(id);
    CHECK(library->kindOf(id) == app::RecordKind::None);
    CHECK(library->kindOf(context) == app::RecordKind::None);
    CHECK(library->kindOf(conversation) == app::RecordKind::None);
    CHECK(library->jobs().empty());
    CHECK(library->contexts().size() == 1);
    CHECK(library->documents().size() == 1);
    CHECK(library->search("alpha").empty());
    CHECK_THROWS_AS(library->removeDocument(id), Error);
    CHECK_THROWS_AS(library->text(id), Error);

    const app::RecordId next = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    CHECK(next > conversation); // ids are never given twice
}

TEST_CASE("a title can be changed")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const app::RecordId id = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    library->renameDocument(id, "Neuer Titel");
    CHECK(library->document(id).title == "Neuer Titel");
    CHECK_THROWS_AS(library->renameDocument(id + 1, "x"), Error);
}
