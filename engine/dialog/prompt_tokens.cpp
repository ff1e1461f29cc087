#include "engine/dialog/prompt_tokens.h"

namespace engine {
namespace {

std::string tokenText(const Tokenizer& tokenizer, std::optional<std::int32_t> id)
{
    return id ? tokenizer.piece(*id, true) : std::string();
}

} // namespace

PromptTokens::PromptTokens(const LoadedModel& model, const std::string& systemText, bool raw)
    : m_tokenizer(model.tokenizer())
    , m_bos(tokenText(m_tokenizer, m_tokenizer.bos()))
    , m_builder(raw ? nullptr : model.chatTemplate(), systemText, m_bos,
                tokenText(m_tokenizer, m_tokenizer.eos()))
{}

std::vector<std::int32_t> PromptTokens::prefix() const
{
    const std::string text = m_builder.prefix();
    // A template that writes BOS itself must not get a second one.
    const bool written = !m_bos.empty() && text.starts_with(m_bos);
    std::vector<std::int32_t> ids = m_tokenizer.encode(text, SpecialTokens::Parse, !written).ids;
    // Some models also ask for EOS behind every text; a prompt goes on.
    if (ids.size() > 1 && m_tokenizer.eos() && ids.back() == *m_tokenizer.eos() && !written)
        ids.pop_back();
    return ids;
}

std::vector<std::int32_t> PromptTokens::turn(std::span<const Exchange> earlier,
                                             const std::string& question) const
{
    return m_tokenizer.encode(m_builder.turn(earlier, question), SpecialTokens::Parse, false).ids;
}

} // namespace engine
