#pragma once

#include "engine/dialog/prompt_layout.h"
#include "engine/model/model.h"

#include <string>
#include <vector>

namespace engine {

/// Prompts of one model as token ids. The parts of a conversation are tokenised one by one, each as
/// it would be in one piece with what stands before it; only a token cannot span two of them.
class PromptTokens
{
public:
    /// `systemText` may be empty; `raw` leaves the chat template out.
    PromptTokens(const LoadedModel& model, const std::string& systemText, bool raw);
    /// The same with the model's tokenizer, which outlives this object, and its template or none.
    PromptTokens(const Tokenizer& tokenizer, std::shared_ptr<const ChatTemplate> chatTemplate,
                 const std::string& systemText);

    /// What stands before the document, BOS included when the model wants it.
    const std::vector<std::int32_t>& prefix() const { return m_prefix; }
    /// The document behind the prefix. Control tokens in it are plain characters.
    TokenisedText document(std::string_view text) const;
    /// What follows the document (first turn) or the last answer, up to where the answer starts.
    std::vector<std::int32_t> turn(std::span<const Exchange> earlier,
                                   const std::string& question) const;
    /// An answer of an earlier day, which has lost its blanks, behind its turn.
    std::vector<std::int32_t> answer(std::span<const std::int32_t> turn,
                                     std::string_view text) const;

private:
    void readPrefix();

    const Tokenizer& m_tokenizer;
    std::string m_bos;
    PromptBuilder m_builder;
    std::vector<std::int32_t> m_prefix;
    bool m_documentStartsFresh = false; // so that SentencePiece puts a blank in front
};

} // namespace engine
