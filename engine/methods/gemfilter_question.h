#pragma once

#include "engine/methods/filter_layer.h"
#include "engine/methods/filter_votes.h"
#include "engine/methods/method.h"

#include <memory>

namespace engine {

/// GemFilter for a question that is known while the document is read (selection.md 3.1).
struct QuestionFilter
{
    FilterLayer layer; // on whose keys the question votes
    FilterQuota quota;
    /// True (single-turn): the lower layers read the document, and all layers read the chosen
    /// tokens, as if they were everything. False (One-Run): all layers read the document, and every
    /// list keeps the chosen tokens, at their positions.
    bool readsAgain = true;
};

/// Throws BadInput when the plan has no question.
void requireQuestion(const DocumentPlan& plan);

/// Throws BadInput for a question that leaves the document no place, TooLarge when it
/// does not fit into the window behind the document.
std::unique_ptr<Method> makeQuestionFilter(const DocumentPlan& plan, const QuestionFilter& filter);

} // namespace engine
