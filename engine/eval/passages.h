#pragma once

#include "engine/eval/made_up_text.h"
#include "engine/eval/tasks.h"

#include <string_view>
#include <vector>

namespace engine {

/// Questions about sentences that are in a text anyway. `sentences` are places of sentences that
/// end a paragraph, in the order of the text. One is taken from each of `questions` parts of equal
/// depth, or from anywhere where a part has none that serves.
class Passages
{
public:
    Passages(std::string_view text, const TokenisedText& tokens, std::vector<ByteRange> sentences);

    /// "What follows "<first half>"?" where every three tokens in a row that lead through the
    /// answer stand once in the text; where there are not enough of these, at least those before
    /// the answer. Throws BadInput when there are too few such sentences.
    std::vector<EvalQuestion> quotes(Dice& dice, std::uint32_t questions) const;

    /// "What is said about X and Y?" with two words that stand together in one sentence only.
    /// Throws BadInput when there are too few such sentences.
    std::vector<EvalQuestion> keywords(Dice& dice, std::uint32_t questions) const;

private:
    template <typename Ask>
    std::vector<EvalQuestion> fromEachPart(Dice& dice, std::uint32_t questions, Ask ask) const;
    /// Where a sentence begins; the text's end for the one behind the last.
    std::uint32_t startOf(std::size_t sentence) const;
    enum class Demand
    {
        AllOnce,      // whoever looks at three tokens finds the whole answer
        BeginningOnce // the place is certain, what follows may have its like
    };
    /// Whether the three tokens that end at the answer's beginning, and with AllOnce all further
    /// ones up to its end, stand once.
    bool leadsOnce(ByteRange answer, Demand demand) const;

    std::string_view m_text;
    const TokenisedText& m_tokens;
    std::vector<ByteRange> m_sentences;
};

} // namespace engine
