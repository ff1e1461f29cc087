#pragma once

#include "engine/dialog/prompt_layout.h"
#include "engine/model/model.h"

#include <string>
#include <vector>

namespace engine {

/// Prompts of one model as token ids.
class PromptTokens
{
public:
    /// `systemText` may be empty; `raw` leaves the chat template out.
    PromptTokens(const LoadedModel& model, const std::string& systemText, bool raw);

    /// What stands before the document, BOS included when the model wants it.
    std::vector<std::int32_t> prefix() const;
    /// What follows the document (first turn) or the last answer, up to where the answer starts.
    std::vector<std::int32_t> turn(std::span<const Exchange> earlier,
                                   const std::string& question) const;

private:
    const Tokenizer& m_tokenizer;
    std::string m_bos;
    PromptBuilder m_builder;
};

} // namespace engine
