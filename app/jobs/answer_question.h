#pragma once

#include "app/library/library.h"
#include "engine/engine.h"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace app {

/// A context ready for questions, with what is needed to place its tokens on pages.
struct OpenContext
{
    ContextRecord record;
    std::shared_ptr<engine::LoadedModel> model;
    std::shared_ptr<const engine::Context> context;
    std::string text;
    std::vector<PageRecord> pages;
};

/// The context to ask: `contextId`, or with 0 the document's newest Ready one. Throws
/// engine::Error(NotFound) with what to do when the document was not prepared.
ContextRecord chooseContext(const Library& library, RecordId documentId, RecordId contextId);

/// Loads segments and checks them against the model and the document's text. Throws engine::Error.
OpenContext openContext(const Library& library, const ContextRecord& record,
                        const std::shared_ptr<engine::LoadedModel>& model);

/// The finished exchanges of a stored conversation, along the branch that ends last.
std::vector<engine::Exchange> exchangesOf(const std::vector<MessageRecord>& messages);

/// What is shown below an answer.
AnswerFacts factsOf(const engine::Answer& answer, const OpenContext& open);

struct Answered
{
    RecordId conversationId = 0;
    engine::Answer answer;
    std::vector<CitationRecord> citations;
    AnswerFacts facts;
};

/// Asks one question and stores it: the question is on the disk before the first token is
/// generated, the answer when it is complete. `conversationId` 0 starts a conversation. Throws
/// engine::Error; the question stays stored and its answer is marked failed.
Answered answerQuestion(Library& library, const OpenContext& open, RecordId conversationId,
                        const std::string& question, const engine::AskOptions& options,
                        const std::function<void(std::string_view)>& onText,
                        const std::stop_token& stop);

} // namespace app
