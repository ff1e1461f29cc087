#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace engine {

class Tokenizer;

/// A small generator of its own, so that a text is the same with every library.
class Dice
{
public:
    explicit Dice(std::uint64_t seed)
        : m_state(seed)
    {}

    /// A number below `sides`, which is at least 1.
    std::size_t roll(std::size_t sides)
    {
        m_state = m_state * 6364136223846793005ULL + 1442695040888963407ULL;
        return (m_state >> 33U) % sides;
    }
    std::string pick(std::span<const std::string_view> words)
    {
        return std::string(words[roll(words.size())]);
    }

private:
    std::uint64_t m_state;
};

/// "The miller carried a brass bell behind the mill on Monday.": the same few phrases return again
/// and again.
std::string plainSentence(Dice& dice);

/// "Quiet pilots counted narrow ladders behind golden chapels.": words in a row hardly ever return.
std::string denseSentence(Dice& dice);

/// Dense sentences of at least so many tokens, always the same.
std::string denseText(const Tokenizer& tokenizer, std::uint32_t tokens);

/// Words for answers; none of them is in the sentences above, and each stands here once.
std::span<const std::string_view> answerWords();

/// First names; none of them is in the sentences above.
std::span<const std::string_view> firstNames();

} // namespace engine
