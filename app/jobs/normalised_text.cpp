#include "app/jobs/normalised_text.h"

namespace app {
namespace {

bool isSpace(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

} // namespace

NormalisedText::NormalisedText(std::string_view text)
{
    m_text.reserve(text.size());
    m_offsets.reserve(text.size() + 1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool space = isSpace(text[i]);
        if (space && (m_text.empty() || m_text.back() == ' '))
            continue;
        m_text.push_back(space ? ' ' : text[i]);
        m_offsets.push_back(static_cast<std::uint32_t>(i));
    }
    m_offsets.push_back(static_cast<std::uint32_t>(text.size()));
}

ByteRange NormalisedText::original(std::size_t begin, std::size_t end) const
{
    if (begin >= end)
        return {m_offsets[begin], m_offsets[begin]};
    // The byte behind the last one, not the next one's start: blanks that were dropped stay
    // outside.
    return {m_offsets[begin], m_offsets[end - 1] + 1};
}

} // namespace app
