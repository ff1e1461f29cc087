#include "engine/text/tokenizer_special.h"

#include <algorithm>

namespace engine {

SpecialTokenFinder::SpecialTokenFinder()
    : m_nodes(1)
{}

void SpecialTokenFinder::add(std::string_view text, std::int32_t id)
{
    std::uint32_t node = 0;
    for (const char next : text) {
        if (const std::uint32_t* const child = findChild(node, next)) {
            node = *child;
            continue;
        }
        const auto created = static_cast<std::uint32_t>(m_nodes.size());
        m_nodes[node].children.emplace_back(next, created);
        if (node == 0) {
            m_firstNodes[static_cast<std::uint8_t>(next)] = created;
        }
        m_nodes.emplace_back();
        node = created;
    }
    if (node != 0) {
        m_nodes[node].id = id;
    }
}

SpecialTokenFinder::Match SpecialTokenFinder::findFrom(std::string_view text,
                                                       std::size_t position) const
{
    for (; position < text.size(); ++position) {
        if (m_firstNodes[static_cast<std::uint8_t>(text[position])] == 0) {
            continue;
        }
        const Match match = longestAt(text, position);
        if (match.id >= 0) {
            return match;
        }
    }
    return {text.size(), text.size(), -1};
}

SpecialTokenFinder::Match SpecialTokenFinder::longestAt(std::string_view text,
                                                        std::size_t position) const
{
    Match longest{position, position, -1};
    std::uint32_t node = m_firstNodes[static_cast<std::uint8_t>(text[position])];
    for (std::size_t end = position + 1;; ++end) {
        if (m_nodes[node].id >= 0) {
            longest = {position, end, m_nodes[node].id};
        }
        const std::uint32_t* const child = end < text.size() ? findChild(node, text[end]) : nullptr;
        if (child == nullptr) {
            return longest;
        }
        node = *child;
    }
}

const std::uint32_t* SpecialTokenFinder::findChild(std::uint32_t node, char next) const
{
    const auto& children = m_nodes[node].children;
    const auto found = std::ranges::find(children, next, &std::pair<char, std::uint32_t>::first);
    return found == children.end() ? nullptr : &found->second;
}

} // namespace engine
