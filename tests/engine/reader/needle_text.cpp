#include "tests/engine/reader/needle_text.h"

#include "engine/eval/made_up_text.h"

namespace tests {

NeedleText makeNeedleText(std::size_t needles, std::size_t paragraphs)
{
    constexpr std::size_t kSentences = 3; // of a paragraph
    engine::Dice dice(40);
    NeedleText out;
    for (std::size_t needle = 0; needle < needles; ++needle) {
        // Steps of seven: no two needles share their last two digits.
        const std::string beginning = "The key to room " + std::to_string(101 + 7 * needle);
        const std::string end = "is " + std::string(engine::answerWords()[needle]) + ".";
        const auto begin = static_cast<std::uint32_t>(out.text.size());
        out.text += beginning + " " + end;
        out.needles.push_back({"What follows \"" + beginning + "\"?",
                               end,
                               {begin, static_cast<std::uint32_t>(out.text.size())}});
        for (std::size_t i = 0; i < paragraphs && needle + 1 < needles; ++i) {
            for (std::size_t each = 0; each < kSentences; ++each) {
                out.text += (each == 0 ? "\n\n" : " ") + engine::plainSentence(dice);
            }
        }
        out.text += needle + 1 < needles ? "\n\n" : "";
    }
    return out;
}

} // namespace tests
