#include "app/jobs/answer_question.h"

#include "app/jobs/citations.h"

#include <algorithm>
#include <map>

namespace app {
namespace {

MessageRecord message(RecordId conversation, RecordId parent, MessageRole role,
                      const std::string& text, MessageStatus status)
{
    MessageRecord record;
    record.conversationId = conversation;
    record.parentId = parent;
    record.role = role;
    record.text = text;
    record.status = status;
    return record;
}

/// What a conversation said so far. Throws BadInput when it is about another document: its answers
/// would be taken for this one's.
std::vector<MessageRecord> messagesAbout(const Library& library, RecordId document,
                                         RecordId conversation)
{
    const RecordId other = library.conversation(conversation).documentId;
    if (other != document) {
        throw engine::Error(engine::ErrorCode::BadInput,
                            "Conversation " + std::to_string(conversation) + " is about document " +
                                std::to_string(other) + ", not about document " +
                                std::to_string(document) +
                                ". Go on with it there, or start a new one.");
    }
    return library.messages(conversation);
}

} // namespace

ContextRecord chooseContext(const Library& library, RecordId documentId, RecordId contextId)
{
    if (contextId != 0) {
        ContextRecord record = library.context(contextId);
        if (record.documentId != documentId) {
            throw engine::Error(engine::ErrorCode::BadInput,
                                "Context " + std::to_string(contextId) + " belongs to document " +
                                    std::to_string(record.documentId) + ", not to document " +
                                    std::to_string(documentId) + ".");
        }
        if (record.state != ContextState::Ready) {
            throw engine::Error(engine::ErrorCode::BadInput,
                                "Context " + std::to_string(contextId) +
                                    " is not ready. Prepare the document (again) first.");
        }
        return record;
    }
    const DocumentRecord document = library.document(documentId);
    for (const ContextRecord& record : library.contexts(documentId)) {
        if (record.state == ContextState::Ready)
            return record;
    }
    throw engine::Error(engine::ErrorCode::NotFound,
                        "\"" + document.title +
                            "\" has not been prepared yet. Prepare it first; with "
                            "the command line: epitome prepare " +
                            std::to_string(documentId) + ".");
}

OpenContext openContext(const Library& library, const ContextRecord& record,
                        const std::shared_ptr<engine::LoadedModel>& model)
{
    OpenContext open;
    open.record = record;
    open.model = model;
    open.text = library.text(record.documentId);
    open.pages = library.pages(record.documentId);
    open.context = engine::loadContext(
        model, [&](std::size_t index) { return library.readSegment(record.id, index); },
        library.document(record.documentId).textSha256);
    return open;
}

std::vector<engine::Exchange> exchangesOf(const std::vector<MessageRecord>& messages)
{
    std::map<RecordId, const MessageRecord*> byId;
    for (const MessageRecord& each : messages)
        byId[each.id] = &each;
    std::vector<engine::Exchange> exchanges;
    const auto last =
        std::ranges::find_if(messages.rbegin(), messages.rend(), [](const auto& each) {
            return each.role == MessageRole::Assistant && each.status != MessageStatus::Failed;
        });
    const MessageRecord* answer = last == messages.rend() ? nullptr : &*last;
    while (answer != nullptr && byId.contains(answer->parentId)) {
        const MessageRecord* question = byId[answer->parentId];
        // The text of a failed answer is the program's sentence, which the model never said.
        if (answer->status != MessageStatus::Failed && !answer->text.empty())
            exchanges.push_back({question->text, answer->text});
        answer = byId.contains(question->parentId) ? byId[question->parentId] : nullptr;
    }
    std::ranges::reverse(exchanges);
    return exchanges;
}

AnswerFacts factsOf(const engine::Answer& answer, const OpenContext& open)
{
    AnswerFacts facts;
    facts.tokensInContext = static_cast<std::int64_t>(answer.tokensInContext);
    facts.tokensReread = static_cast<std::int64_t>(answer.tokensReread);
    facts.tokensGenerated = answer.tokens;
    facts.firstTokenSeconds = answer.firstTokenSeconds;
    facts.tokensPerSecond = answer.tokensPerSecond;
    facts.keptFraction = open.record.keptFraction;
    facts.device = engine::deviceSentence(*open.model);
    return facts;
}

Answered answerQuestion(Library& library, const OpenContext& open, RecordId conversationId,
                        const std::string& question, const engine::AskOptions& options,
                        const std::function<void(std::string_view)>& onText,
                        const std::stop_token& stop)
{
    std::vector<MessageRecord> earlier;
    if (conversationId == 0)
        conversationId = library.startConversation(open.record.documentId, open.record.id);
    else
        earlier = messagesAbout(library, open.record.documentId, conversationId);
    engine::Conversation conversation(open.model, open.context, exchangesOf(earlier));
    const RecordId parent = earlier.empty() ? 0 : earlier.back().id;
    const RecordId questionId = library.appendMessage(
        message(conversationId, parent, MessageRole::User, question, MessageStatus::Complete));
    MessageRecord stored =
        message(conversationId, questionId, MessageRole::Assistant, "", MessageStatus::Partial);
    stored.id = library.appendMessage(stored);

    Answered answered;
    answered.conversationId = conversationId;
    try {
        answered.answer = conversation.ask(question, options, onText, stop);
    } catch (const engine::Error& error) {
        stored.status = MessageStatus::Failed;
        stored.text = error.what();
        library.finishMessage(stored);
        throw;
    }
    const auto ranges = engine::tokenRanges(*open.context);
    answered.citations = findCitations({open.text, open.pages, ranges}, answered.answer);
    answered.facts = factsOf(answered.answer, open);
    stored.text = answered.answer.text;
    stored.status =
        answered.answer.stoppedByUser ? MessageStatus::Partial : MessageStatus::Complete;
    stored.facts = answered.facts;
    stored.citations = answered.citations;
    library.finishMessage(stored);
    return answered;
}

} // namespace app
