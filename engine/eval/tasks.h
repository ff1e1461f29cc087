#pragma once

#include "engine/text/tokenizer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// A kind of question.
struct TaskInfo
{
    std::string id;
    std::string description;
    bool needsTrainedModel = false; // a model that only continues quotations cannot do it
};

/// Every task, in the order of the tables.
const std::vector<TaskInfo>& evalTasks();

/// Throws BadInput naming the known tasks.
void checkTask(const std::string& id);

/// A question and what counts as its answer: any of `accepted`.
struct QuestionPart
{
    std::string question;
    std::vector<std::string> accepted;
};

/// Parts are asked one after another in one conversation; the answer is right when all are.
struct EvalQuestion
{
    std::string task;
    std::vector<QuestionPart> parts;
};

struct EvalDocument
{
    std::string text;
    std::uint64_t tokens = 0;
    std::vector<EvalQuestion> questions; // task by task
};

struct DocumentOptions
{
    std::uint64_t tokens = 4096;  // the document is at most this long
    std::uint32_t questions = 10; // of each task
    std::uint64_t seed = 1;
    std::string corpus; // text between the facts; empty: made-up sentences
    /// What is asked; the text is the same whatever it is. Empty: every task.
    std::vector<std::string> tasks = {};
};

constexpr std::uint32_t kMostQuestions = 16;

/// A document that carries the facts of all tasks, at even depths and in random order, between
/// paragraphs of made-up sentences or of a corpus. Passages to be continued are only taken where no
/// three tokens in a row stand twice. The same arguments give the same document. Throws BadInput
/// when the length is too short for the facts, the corpus too short for the length, or there are
/// too few passages that stand once.
EvalDocument makeEvalDocument(const Tokenizer& tokenizer, const DocumentOptions& options);

} // namespace engine
