#pragma once

#include "engine/dialog/prompt_tokens.h"
#include "engine/methods/head_table.h"
#include "engine/methods/method.h"

#include <string_view>

namespace engine {

/// Positions that must be left behind a document, or no question could be asked.
constexpr std::size_t kRoomForQuestion = 64;

/// Throws BadInput naming the option and its range.
void checkPrepareOptions(const PrepareOptions& options);

/// What a table of this model's heads was measured on: with its own positions. What a head is for
/// is in its weights, so a table serves stretched positions (the `rope` setting), too.
HeadTableOrigin headTableOrigin(const LoadedModel& model);

/// What the method plans with, the rope factor resolved. `prompts`, `text` and `tokens` must
/// outlive the plan. Throws BadInput for an empty document or settings out of range, TooLarge for a
/// document that the window of model, rope setting and method together cannot hold.
DocumentPlan makePlan(LoadedModel& model, const PromptTokens& prompts, std::string_view text,
                      const TokenisedText& tokens, const PrepareOptions& options);

} // namespace engine
