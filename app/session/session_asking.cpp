// Questions and answers: the question is stored before the first token, the answer while it grows.

#include "app/jobs/citations.h"
#include "app/session/session.h"

#include <chrono>

namespace app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kShowInterval = std::chrono::milliseconds(33);
constexpr auto kSaveInterval = std::chrono::seconds(1);

/// The document may be removed, and its conversations with it, while an answer is written: that is
/// no error.
template <typename Work>
void unlessRemoved(const Work& work)
{
    try {
        work();
    } catch (const engine::Error& error) {
        if (error.code() != engine::ErrorCode::NotFound)
            throw;
    }
}

} // namespace

struct Session::Question
{
    RecordId documentId = 0;
    RecordId conversationId = 0;
    std::string text;
    ContextRecord context;
    std::vector<MessageRecord> earlier;
    MessageRecord answer; // stored as partial
};

void Session::requestConversations(RecordId documentId)
{
    onLibrary([this, documentId](Library& library) {
        auto conversations = library.conversations(documentId);
        toUi([this, documentId, conversations = std::move(conversations)] {
            emit conversationsReady(documentId, conversations);
        });
    });
}

void Session::openConversation(RecordId conversationId)
{
    onLibrary([this, conversationId](Library& library) {
        auto messages = library.messages(conversationId);
        toUi([this, conversationId, messages = std::move(messages)] {
            emit conversationOpened(conversationId, messages);
        });
    });
}

void Session::ask(RecordId documentId, RecordId conversationId, const QString& question)
{
    m_answerStop = {};
    m_askedDocument = documentId;
    const auto store = [this, documentId, conversationId, text = question.toStdString(),
                        stop = m_answerStop.get_token()](Library& library) {
        Question pending{documentId, conversationId, text, {}, {}, {}};
        const RecordId wanted =
            conversationId == 0 ? 0 : library.conversation(conversationId).contextId;
        pending.context = chooseContext(library, documentId, wanted);
        if (conversationId == 0)
            pending.conversationId = library.startConversation(documentId, pending.context.id);
        else
            pending.earlier = library.messages(conversationId);
        MessageRecord asked;
        asked.conversationId = pending.conversationId;
        asked.parentId = pending.earlier.empty() ? 0 : pending.earlier.back().id;
        asked.text = text;
        asked.id = library.appendMessage(asked);
        pending.answer.conversationId = pending.conversationId;
        pending.answer.parentId = asked.id;
        pending.answer.role = MessageRole::Assistant;
        pending.answer.status = MessageStatus::Partial;
        pending.answer.id = library.appendMessage(pending.answer);
        toUi([this, conversation = pending.conversationId, documentId] {
            emit questionStored(conversation, documentId);
        });
        m_engine->post([this, pending, stop](EngineRoom& room) { answer(room, pending, stop); });
    };
    onLibrary(store, [this] { emit questionRefused(); });
}

void Session::stopAnswer()
{
    m_answerStop.request_stop();
}

void Session::openContextFor(EngineRoom& room, const Question& question)
{
    const auto model = room.model(question.context.modelPath);
    if (room.openContext() && room.openContext()->record.id == question.context.id)
        return;
    auto open = m_library->call([&](Library& library) {
        return std::make_shared<const OpenContext>(
            app::openContext(library, question.context, model));
    });
    room.setOpenContext(std::move(open));
}

void Session::answer(EngineRoom& room, const Question& question, const std::stop_token& stop)
{
    MessageRecord message = question.answer;
    std::string unshown;
    Clock::time_point shown{};
    Clock::time_point saved = Clock::now();
    const auto show = [&] {
        toUi([this, id = question.conversationId, text = QString::fromStdString(unshown)] {
            emit answerGrew(id, text);
        });
        unshown.clear();
        shown = Clock::now();
    };
    try {
        openContextFor(room, question);
        const auto open = room.openContext();
        engine::Conversation& conversation =
            room.conversation(question.conversationId, exchangesOf(question.earlier));
        const engine::Answer answer = conversation.ask(
            question.text, {},
            [&](std::string_view piece) {
                unshown += piece;
                message.text += piece;
                if (Clock::now() - shown >= kShowInterval)
                    show();
                if (Clock::now() - saved >= kSaveInterval) {
                    saved = Clock::now();
                    onLibrary([message](Library& library) {
                        unlessRemoved([&] { library.updateMessageText(message.id, message.text); });
                    });
                }
            },
            stop);
        show();
        message.text = answer.text;
        message.status = answer.stoppedByUser ? MessageStatus::Partial : MessageStatus::Complete;
        message.facts = factsOf(answer, *open);
        message.citations =
            findCitations({open->text, open->pages, engine::tokenRanges(*open->context)}, answer);
    } catch (const engine::Error& error) {
        room.forgetConversation();
        message.status = MessageStatus::Failed;
        message.text = error.what();
    } catch (const std::bad_alloc&) {
        room.forgetConversation();
        message.status = MessageStatus::Failed;
        message.text = "There is not enough memory to answer. Close other programs, or prepare the "
                       "document with a smaller share to keep.";
    } catch (const std::exception& error) {
        room.forgetConversation();
        message.status = MessageStatus::Failed;
        message.text = error.what();
    }
    onLibrary([this, message](Library& library) {
        // What was answered is shown even when it cannot be stored.
        toUi([this, message] { emit answerFinished(message.conversationId, message); });
        unlessRemoved([&] { library.finishMessage(message); });
    });
    publishMemory(room);
}

} // namespace app
