#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace engine {

/// Finds the tokens of a set in a text: the leftmost first, of several at one place the longest.
/// Time is the text's length times the longest token at worst.
class SpecialTokenFinder
{
public:
    struct Match
    {
        std::size_t begin = 0;
        std::size_t end = 0;
        std::int32_t id = -1; // -1: nothing found
    };

    SpecialTokenFinder();

    void add(std::string_view text, std::int32_t id);
    Match findFrom(std::string_view text, std::size_t position) const;

private:
    struct Node
    {
        std::vector<std::pair<char, std::uint32_t>> children;
        std::int32_t id = -1;
    };

    Match longestAt(std::string_view text, std::size_t position) const;
    const std::uint32_t* findChild(std::uint32_t node, char next) const;

    std::vector<Node> m_nodes;                     // a trie; the root is the first
    std::array<std::uint32_t, 256> m_firstNodes{}; // children of the root, 0 if none
};

} // namespace engine
