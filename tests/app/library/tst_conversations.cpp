#include "app/library/library.h"
#include "engine/error.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>

using app::Library;
using app::MessageRecord;
using app::MessageRole;
using app::MessageStatus;
using app::RecordId;

namespace {

MessageRecord question(RecordId conversation, RecordId parent, const std::string& text)
{
    MessageRecord message;
    message.conversationId = conversation;
    message.parentId = parent;
    message.text = text;
    return message;
}

MessageRecord answer(RecordId conversation, RecordId parent)
{
    MessageRecord message = question(conversation, parent, "");
    message.role = MessageRole::Assistant;
    message.status = MessageStatus::Partial;
    return message;
}

} // namespace

TEST_CASE("a conversation is a tree that survives the program")
{
    const tests::TemporaryFolder folder;
    auto library = Library::open(folder.path());
    const RecordId document = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    const RecordId conversation = library->startConversation(document, 0);
    const RecordId asked =
        library->appendMessage(question(conversation, 0, "Who is the whale?\nTell me."));
    MessageRecord reply = answer(conversation, asked);
    reply.id = library->appendMessage(reply);
    const RecordId edited = library->appendMessage(question(conversation, 0, "Who is Ahab?"));

    library->updateMessageText(reply.id, "The wh");
    library.reset(); // as if the program had ended while the answer was written
    library = Library::open(folder.path());
    auto messages = library->messages(conversation);
    REQUIRE(messages.size() == 3);
    CHECK(messages[0].text == "Who is the whale?\nTell me.");
    CHECK(messages[0].status == MessageStatus::Complete);
    CHECK(messages[1].text == "The wh");
    CHECK(messages[1].status == MessageStatus::Partial);
    CHECK(messages[1].role == MessageRole::Assistant);
    CHECK(messages[1].parentId == asked);
    CHECK(messages[2].id == edited);
    CHECK(messages[2].parentId == 0);

    reply.text = "The whale is white.";
    reply.status = MessageStatus::Complete;
    reply.facts = {.tokensInContext = 9000,
                   .tokensReread = 0,
                   .tokensGenerated = 12,
                   .firstTokenSeconds = 0.25,
                   .tokensPerSecond = 31.5,
                   .keptFraction = 0.3,
                   .device = "CPU"};
    reply.citations = {{0, "iv", "page number0", {0, 12}}, {2, "2", "Größe", {60, 66}}};
    library->finishMessage(reply);
    library->finishMessage(reply); // citations are replaced, not added
    messages = library->messages(conversation);
    CHECK(messages[1].text == reply.text);
    CHECK(messages[1].status == MessageStatus::Complete);
    CHECK(messages[1].facts == reply.facts);
    CHECK(messages[1].citations == reply.citations);
    CHECK(messages[0].citations.empty());

    const auto list = library->conversations(document);
    REQUIRE(list.size() == 1);
    CHECK(list[0].title == "Who is the whale?");
    CHECK(list[0].messages == 3);
    CHECK(list[0].changedAt >= list[0].createdAt);
}

TEST_CASE("a long title is cut between characters")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const RecordId document = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    const RecordId conversation = library->startConversation(document, 0);
    std::string text = "x";
    for (int i = 0; i < 60; ++i)
        text += "\u00e4";
    library->appendMessage(question(conversation, 0, text));
    CHECK(library->conversation(conversation).title == text.substr(0, 79) + "\u2026");
    library->renameConversation(conversation, "Mine");
    library->appendMessage(question(conversation, 0, "another"));
    CHECK(library->conversation(conversation).title == "Mine");
}

TEST_CASE("messages that fit nowhere are refused")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const RecordId document = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    const RecordId one = library->startConversation(document, 0);
    const RecordId two = library->startConversation(document, 0);
    const RecordId inOne = library->appendMessage(question(one, 0, "a"));
    CHECK_THROWS_AS(library->appendMessage(question(two, inOne, "b")), engine::Error);
    CHECK_THROWS_AS(library->appendMessage(question(one, 12345, "b")), engine::Error);
    CHECK_THROWS_AS(library->appendMessage(question(12345, 0, "b")), engine::Error);
    CHECK_THROWS_AS(library->updateMessageText(12345, "b"), engine::Error);
    MessageRecord unknown = answer(one, inOne);
    unknown.id = 12345;
    CHECK_THROWS_AS(library->finishMessage(unknown), engine::Error);
    CHECK_THROWS_AS(library->startConversation(12345, 0), engine::Error);
    CHECK_THROWS_AS(library->messages(12345), engine::Error);
    CHECK(library->messages(two).empty());

    library->removeConversation(one);
    CHECK_THROWS_AS(library->removeConversation(one), engine::Error);
    CHECK(library->kindOf(inOne) == app::RecordKind::None);
    CHECK(library->conversations().size() == 1);
}
