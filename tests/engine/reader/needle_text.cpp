#include "tests/engine/reader/needle_text.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace tests {

namespace {

/// A small generator of its own, so that the text is the same with every library.
class Dice
{
public:
    template <std::size_t N>
    std::string pick(const std::array<std::string_view, N>& words)
    {
        m_state = m_state * 6364136223846793005ULL + 1442695040888963407ULL;
        return std::string(words[(m_state >> 33U) % N]);
    }

private:
    std::uint64_t m_state = 40;
};

constexpr std::array<std::string_view, 16> kWho{
    "The miller",  "A sailor",       "My aunt",    "The clerk",   "An old nurse", "The carter",
    "Our teacher", "The young cook", "A stranger", "The captain", "His brother",  "The widow",
    "A shepherd",  "The smith",      "Her cousin", "The boatman"};
constexpr std::array<std::string_view, 16> kDid{
    "carried", "painted", "forgot", "found",  "mended", "sold",      "borrowed", "counted",
    "washed",  "hid",     "broke",  "bought", "lost",   "asked for", "returned", "weighed"};
constexpr std::array<std::string_view, 16> kWhat{
    "a brass bell",   "three baskets",  "the garden gate", "an empty barrel",
    "a grey coat",    "the long rope",  "two candles",     "a broken wheel",
    "the church key", "a sack of salt", "the small boat",  "a silver spoon",
    "an iron pan",    "the winter hay", "a pair of boots", "the letter"};
constexpr std::array<std::string_view, 16> kWhere{
    "behind the mill", "near the bridge",     "in the market",  "on the hill",
    "by the well",     "under the lime tree", "at the harbour", "in the cellar",
    "beside the road", "across the river",    "in the orchard", "at the inn",
    "on the stairs",   "in the old tower",    "by the window",  "along the wall"};
constexpr std::array<std::string_view, 16> kWhen{
    "on Monday",        "before dawn",    "last autumn",     "after the storm",
    "at noon",          "in the evening", "that winter",     "during the fair",
    "before breakfast", "when it rained", "on his birthday", "after supper",
    "early in spring",  "late at night",  "on the way home", "in the first snow"};

std::string sentence(Dice& dice)
{
    return dice.pick(kWho) + " " + dice.pick(kDid) + " " + dice.pick(kWhat) + " " +
           dice.pick(kWhere) + " " + dice.pick(kWhen) + ".";
}

/// Answers; none of these words is in another sentence.
constexpr std::array<std::string_view, kMostNeedles> kAnswers{
    "amber",  "basalt",  "cedar",   "dahlia", "ebony",   "fennel", "garnet", "heron",
    "indigo", "jasmine", "kestrel", "lilac",  "marble",  "nutmeg", "opal",   "pepper",
    "quartz", "raven",   "saffron", "thyme",  "umber",   "velvet", "walnut", "yarrow",
    "zinc",   "almond",  "beetle",  "copper", "drizzle", "ember",  "falcon", "ginger",
    "hazel",  "ivory",   "juniper", "linen",  "mustard", "onyx",   "plum",   "topaz"};

} // namespace

NeedleText makeNeedleText(std::size_t needles, std::size_t paragraphs)
{
    constexpr std::size_t kSentences = 3; // of a paragraph
    Dice dice;
    NeedleText out;
    for (std::size_t needle = 0; needle < needles; ++needle) {
        // Steps of seven: no two needles share their last two digits.
        const std::string beginning = "The key to room " + std::to_string(101 + 7 * needle);
        const std::string end = "is " + std::string(kAnswers[needle]) + ".";
        const auto begin = static_cast<std::uint32_t>(out.text.size());
        out.text += beginning + " " + end;
        out.needles.push_back({"What follows \"" + beginning + "\"?",
                               end,
                               {begin, static_cast<std::uint32_t>(out.text.size())}});
        for (std::size_t i = 0; i < paragraphs && needle + 1 < needles; ++i) {
            for (std::size_t each = 0; each < kSentences; ++each) {
                out.text += (each == 0 ? "\n\n" : " ") + sentence(dice);
            }
        }
        out.text += needle + 1 < needles ? "\n\n" : "";
    }
    return out;
}

} // namespace tests
