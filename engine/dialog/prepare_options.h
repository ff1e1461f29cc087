#pragma once

#include "engine/dialog/prompt_tokens.h"
#include "engine/methods/method.h"

#include <string_view>

namespace engine {

/// Positions that must be left behind a document, or no question could be asked.
constexpr std::size_t kRoomForQuestion = 64;

/// Throws BadInput naming the option and its range.
void checkPrepareOptions(const PrepareOptions& options);

/// Throws BadInput for an empty document, TooLarge for one that the model's window cannot hold.
void checkFits(const LoadedModel& model, std::size_t prefixTokens, std::size_t documentTokens);

/// What the method plans with. `prompts`, `text` and `tokens` must outlive the plan.
DocumentPlan makePlan(LoadedModel& model, const PromptTokens& prompts, std::string_view text,
                      const TokenisedText& tokens, const PrepareOptions& options);

} // namespace engine
