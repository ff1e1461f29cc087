#include "app/library/library.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>
#include <fstream>
#include <memory>
#include <string>

using app::Library;
using app::RecordId;

namespace {

/// Files below `folder` that contain `text`.
std::size_t filesWith(const std::filesystem::path& folder, const std::string& text)
{
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file())
            continue;
        std::string bytes(entry.file_size(), '\0');
        std::ifstream(entry.path(), std::ios::binary)
            .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        if (bytes.find(text) != std::string::npos)
            ++found;
    }
    return found;
}

/// The reserve holds nothing that could be searched.
std::unique_ptr<Library> open(const std::filesystem::path& folder)
{
    return Library::open(folder, app::OpenMode::ReadWrite, {.reserveBytes = 0});
}

std::string canary(int round)
{
    return "zkanari" + std::to_string(1'000'000 + round) + "q";
}

void talkAbout(Library& library, RecordId document, const std::string& secret)
{
    app::MessageRecord message;
    message.conversationId = library.startConversation(document, 0);
    message.text = "Where is " + secret + "?";
    message.parentId = library.appendMessage(message);
    message.role = app::MessageRole::Assistant;
    for (int i = 0; i < 30; ++i) {
        message.text += " It is here: " + secret;
        message.status = app::MessageStatus::Partial;
        message.id = message.id != 0 ? message.id : library.appendMessage(message);
        library.updateMessageText(message.id, message.text);
    }
    message.citations = {{0, "iv", secret, {0, 4}}};
    library.finishMessage(message);
}

RecordId contextWith(Library& library, RecordId document, const std::string& secret)
{
    app::ContextRecord record = tests::sampleContext(document);
    record.settings = secret;
    const RecordId id = library.beginContext(record);
    std::string text;
    while (text.size() < 100'000)
        text += secret + ' ';
    library.appendCheckpoint(id, 0, std::as_bytes(std::span(text)));
    library.writeSegment(id, 0, std::as_bytes(std::span(text)));
    library.putContextBlob(id, "state", std::as_bytes(std::span(text)));
    library.finishContext(id, record);
    return id;
}

} // namespace

TEST_CASE("what was removed is in none of the files, while its neighbours stay")
{
    const tests::TemporaryFolder folder;
    auto library = open(folder.path());
    const RecordId kept = library->addDocument(tests::sampleDocument("keptword", 70), "k").id;
    talkAbout(*library, kept, "keptsecret");
    const RecordId keptContext = contextWith(*library, kept, "keptcontext");
    library.reset();

    for (int round = 0; round < 12; ++round) {
        CAPTURE(round);
        library = open(folder.path()); // makes the copy of the day
        const std::string secret = canary(round);
        const RecordId id = library->addDocument(tests::sampleDocument(secret, 100), secret).id;
        talkAbout(*library, id, secret);
        contextWith(*library, id, secret);
        CHECK(filesWith(folder.path(), secret) > 0);
        library->removeDocument(id);
        CHECK(filesWith(folder.path(), secret) == 0);

        talkAbout(*library, kept, secret);
        library->removeConversation(library->conversations(kept).front().id);
        CHECK(filesWith(folder.path(), secret) == 0);

        library->removeContext(contextWith(*library, kept, secret));
        CHECK(filesWith(folder.path(), secret) == 0);
        library.reset();
        CHECK(filesWith(folder.path(), secret) == 0);
    }
    library = open(folder.path());
    CHECK(library->search("keptword").size() == 50);
    CHECK(library->conversations(kept).size() == 1);
    CHECK(library->verifyContext(keptContext).empty());
}

TEST_CASE("checkpoints leave no trace once the context is ready")
{
    const tests::TemporaryFolder folder;
    const auto library = open(folder.path());
    const RecordId document = library->addDocument(tests::sampleDocument("alpha"), "a").id;
    const std::string secret = canary(0);
    const RecordId id = library->beginContext(tests::sampleContext(document));
    library->appendCheckpoint(id, 0, std::as_bytes(std::span(secret)));
    std::string large(9U << 20U, 'x');
    large += secret;
    library->appendCheckpoint(id, 1, std::as_bytes(std::span(large)));
    library->writeSegment(id, 0, tests::sampleBytes(100'000, 1));
    library->finishContext(id, tests::sampleContext(document));
    CHECK(filesWith(folder.path(), secret) == 0);
    CHECK(std::filesystem::file_size(folder.path() / "contexts.db") < 1'000'000);
}

TEST_CASE("a removal that a reader kept from ending is ended at the next start")
{
    const tests::TemporaryFolder folder;
    const std::string secret = canary(1);
    {
        const auto library = open(folder.path());
        const RecordId id = library->addDocument(tests::sampleDocument(secret, 50), "a").id;
        library->addDocument(tests::sampleDocument("other"), "b");
        const auto reader = Library::open(folder.path(), app::OpenMode::ReadOnly);
        const auto text = reader->text(id);
        library->removeDocument(id);
        CHECK(library->documents().size() == 1);
    }
    const auto library = open(folder.path());
    CHECK(filesWith(folder.path(), secret) == 0);
}
