#pragma once

#include "engine/eval/made_up_text.h"
#include "engine/eval/tasks.h"

#include <string>
#include <vector>

namespace engine {

/// Sentences to be hidden in a document, and the questions about them.
struct PlantedFacts
{
    std::vector<std::string> sentences;
    std::vector<EvalQuestion> questions;
};

/// What the constructed reader is asked, and any other model understands.
std::string continuationQuestion(const std::string& beginning);

/// Facts of the tasks needle, multi-key, multi-value, passkey and absent, `questions` (at most
/// kMostQuestions) of each. Where an answer begins, the two tokens before the last one stand
/// nowhere else, so that a model that looks three tokens back can find it.
PlantedFacts plantFacts(Dice& dice, std::uint32_t questions);

} // namespace engine
