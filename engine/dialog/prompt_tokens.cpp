#include "engine/dialog/prompt_tokens.h"

#include <utility>

namespace engine {
namespace {

std::string tokenText(const Tokenizer& tokenizer, std::optional<std::int32_t> id)
{
    return id ? tokenizer.piece(*id, true) : std::string();
}

} // namespace

PromptTokens::PromptTokens(const LoadedModel& model, const std::string& systemText, bool raw)
    : PromptTokens(model.tokenizer(), raw ? nullptr : model.chatTemplate(), systemText)
{}

PromptTokens::PromptTokens(const Tokenizer& tokenizer,
                           std::shared_ptr<const ChatTemplate> chatTemplate,
                           const std::string& systemText)
    : m_tokenizer(tokenizer)
    , m_bos(tokenText(tokenizer, tokenizer.bos()))
    , m_builder(std::move(chatTemplate), systemText, m_bos, tokenText(tokenizer, tokenizer.eos()))
{
    readPrefix();
}

void PromptTokens::readPrefix()
{
    std::string text = m_builder.prefix();
    // A template that writes BOS itself must not get a second one.
    const bool written = !m_bos.empty() && text.starts_with(m_bos);
    const auto encode = [&] {
        return m_tokenizer.encode(text, SpecialTokens::Parse, !written).ids;
    };
    m_prefix = encode();
    // Some models also ask for EOS behind every text; a prompt goes on.
    const bool ends = m_prefix.size() > 1 && m_tokenizer.eos() &&
                      m_prefix.back() == *m_tokenizer.eos() && !written;
    if (ends)
        m_prefix.pop_back();
    m_documentStartsFresh = m_prefix.empty() || m_tokenizer.isCutOut(m_prefix.back());
    if (m_documentStartsFresh || !m_tokenizer.putsBlankInFront() || !text.ends_with(' '))
        return;
    // A blank is a part of the word behind it: SentencePiece writes it in front of the document.
    text.pop_back();
    auto shorter = encode();
    if (ends)
        shorter.pop_back();
    if (shorter.empty() || m_tokenizer.isCutOut(shorter.back()))
        return;
    m_prefix = std::move(shorter);
    m_documentStartsFresh = true;
}

TokenisedText PromptTokens::document(std::string_view text) const
{
    return m_documentStartsFresh ? m_tokenizer.encode(text, SpecialTokens::AsText, false)
                                 : m_tokenizer.encodeContinued(text, SpecialTokens::AsText);
}

std::vector<std::int32_t> PromptTokens::turn(std::span<const Exchange> earlier,
                                             const std::string& question) const
{
    return m_tokenizer.encodeContinued(m_builder.turn(earlier, question), SpecialTokens::Parse).ids;
}

std::vector<std::int32_t> PromptTokens::answer(std::span<const std::int32_t> turn,
                                               std::string_view text) const
{
    // Behind "assistant\n" an answer begins at once, behind "[/INST]" with a blank.
    const std::string last = turn.empty() ? std::string() : m_tokenizer.piece(turn.back(), true);
    return last.ends_with('\n') || last.ends_with(' ')
               ? m_tokenizer.encodeContinued(text, SpecialTokens::AsText).ids
               : m_tokenizer.encode(text, SpecialTokens::AsText, false).ids;
}

} // namespace engine
