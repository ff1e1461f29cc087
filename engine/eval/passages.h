#pragma once

#include "engine/eval/made_up_text.h"
#include "engine/eval/tasks.h"

#include <string_view>
#include <vector>

namespace engine {

/// Questions about sentences that are in a text anyway. `sentences` are places of sentences that
/// end a paragraph, in the order of the text. One is taken from each of `questions` parts of equal
/// depth.
class Passages
{
public:
    Passages(std::string_view text, const TokenisedText& tokens, std::vector<ByteRange> sentences);

    /// "What follows "<first half>"?" where every three tokens in a row that lead to the answer
    /// stand once in the text. Throws BadInput when a part has no such sentence.
    std::vector<EvalQuestion> quotes(Dice& dice, std::uint32_t questions) const;

    /// "What is said about X and Y?" with two words that stand together in one sentence only.
    /// Throws BadInput when a part has no such sentence.
    std::vector<EvalQuestion> keywords(Dice& dice, std::uint32_t questions) const;

private:
    template <typename Ask>
    std::vector<EvalQuestion> fromEachPart(Dice& dice, std::uint32_t questions, Ask ask) const;
    bool leadsOnce(ByteRange answer) const;

    std::string_view m_text;
    const TokenisedText& m_tokens;
    std::vector<ByteRange> m_sentences;
};

} // namespace engine
