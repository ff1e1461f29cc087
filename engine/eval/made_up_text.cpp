#include "engine/eval/made_up_text.h"

#include "engine/text/tokenizer.h"

#include <array>
#include <cctype>

namespace engine {
namespace {

using Words16 = std::array<std::string_view, 16>;

constexpr Words16 kWho{"The miller",   "A sailor",    "My aunt",     "The clerk",
                       "An old nurse", "The carter",  "Our teacher", "The young cook",
                       "A stranger",   "The captain", "His brother", "The widow",
                       "A shepherd",   "The smith",   "Her cousin",  "The boatman"};
constexpr Words16 kDid{"carried",  "painted",   "forgot",   "found",  "mended", "sold",
                       "borrowed", "counted",   "washed",   "hid",    "broke",  "bought",
                       "lost",     "asked for", "returned", "weighed"};
constexpr Words16 kWhat{"a brass bell",   "three baskets",  "the garden gate", "an empty barrel",
                        "a grey coat",    "the long rope",  "two candles",     "a broken wheel",
                        "the church key", "a sack of salt", "the small boat",  "a silver spoon",
                        "an iron pan",    "the winter hay", "a pair of boots", "the letter"};
constexpr Words16 kWhere{
    "behind the mill", "near the bridge",     "in the market",  "on the hill",
    "by the well",     "under the lime tree", "at the harbour", "in the cellar",
    "beside the road", "across the river",    "in the orchard", "at the inn",
    "on the stairs",   "in the old tower",    "by the window",  "along the wall"};
constexpr Words16 kWhen{
    "on Monday",        "before dawn",    "last autumn",     "after the storm",
    "at noon",          "in the evening", "that winter",     "during the fair",
    "before breakfast", "when it rained", "on his birthday", "after supper",
    "early in spring",  "late at night",  "on the way home", "in the first snow"};

/// Common words, which most vocabularies have whole.
constexpr std::array<std::string_view, 64> kLike{
    "ancient",    "angry",     "anxious", "awful",     "beautiful", "bitter",    "black",
    "blind",      "bright",    "broad",   "common",    "cruel",     "curious",   "different",
    "difficult",  "distant",   "double",  "drunk",     "eager",     "earnest",   "empty",
    "equal",      "excellent", "faint",   "false",     "familiar",  "foreign",   "fresh",
    "frightened", "gentle",    "grand",   "green",     "handsome",  "happy",     "heavy",
    "honest",     "important", "large",   "miserable", "modern",    "narrow",    "noble",
    "ordinary",   "peculiar",  "perfect", "pleasant",  "pretty",    "private",   "proud",
    "proper",     "public",    "quiet",   "rapid",     "regular",   "religious", "remarkable",
    "secret",     "serious",   "sharp",   "silent",    "simple",    "singular",  "solemn",
    "strange"};
constexpr std::array<std::string_view, 64> kThings{
    "affairs",  "actions",    "animals",    "books",     "bodies",    "cases",    "children",
    "clothes",  "conditions", "doors",      "events",    "faces",     "facts",    "feelings",
    "fingers",  "flowers",    "friends",    "gentlemen", "girls",     "goods",    "hands",
    "heads",    "horses",     "hours",      "houses",    "ideas",     "knees",    "ladies",
    "lands",    "letters",    "lines",      "matters",   "members",   "minutes",  "moments",
    "months",   "names",      "objects",    "officers",  "opinions",  "parents",  "persons",
    "pounds",   "powers",     "principles", "questions", "relations", "servants", "shoulders",
    "soldiers", "souls",      "spirits",    "stars",     "states",    "steps",    "streets",
    "subjects", "tears",      "teeth",      "thoughts",  "trees",     "voices",   "walls",
    "windows"};
constexpr std::array<std::string_view, 48> kDoing{
    "allowed",  "answered", "believed",  "broke",     "brought",  "wrote",     "carried",
    "caught",   "caused",   "changed",   "closed",    "covered",  "crossed",   "discovered",
    "dressed",  "drove",    "employed",  "engaged",   "entered",  "expected",  "explained",
    "filled",   "followed", "forced",    "formed",    "heard",    "killed",    "learned",
    "loved",    "married",  "mentioned", "moved",     "noticed",  "observed",  "offered",
    "opened",   "ordered",  "passed",    "perceived", "pleased",  "presented", "produced",
    "promised", "raised",   "reached",   "received",  "regarded", "remembered"};
constexpr std::array<std::string_view, 16> kPlace{
    "about",  "above", "across",  "against", "along",   "among",  "around", "before",
    "behind", "below", "beneath", "beside",  "between", "beyond", "near",   "within"};

constexpr std::array<std::string_view, 144> kAnswers{
    "amber",       "basalt",     "cedar",   "dahlia",   "ebony",     "fennel",   "garnet",
    "heron",       "indigo",     "jasmine", "kestrel",  "lilac",     "marble",   "nutmeg",
    "opal",        "pepper",     "quartz",  "raven",    "saffron",   "thyme",    "umber",
    "velvet",      "walnut",     "yarrow",  "zinc",     "almond",    "beetle",   "copper",
    "drizzle",     "ember",      "falcon",  "ginger",   "hazel",     "ivory",    "juniper",
    "linen",       "mustard",    "onyx",    "plum",     "topaz",     "acorn",    "badger",
    "cotton",      "dragon",     "eagle",   "fiddle",   "goblet",    "honey",    "icicle",
    "jewel",       "kitten",     "lemon",   "magnet",   "nectar",    "oyster",   "parrot",
    "quiver",      "rabbit",     "sulphur", "turnip",   "urchin",    "violet",   "willow",
    "yeast",       "anvil",      "bonnet",  "cactus",   "dagger",    "elephant", "ferret",
    "granite",     "hemlock",    "incense", "jackal",   "knuckle",   "leopard",  "monkey",
    "nightingale", "ostrich",    "pigeon",  "rhubarb",  "scarlet",   "tobacco",  "unicorn",
    "vinegar",     "weasel",     "zebra",   "apricot",  "bamboo",    "cinnamon", "diamond",
    "ermine",      "flannel",    "gazelle", "hyacinth", "ironwood",  "lavender", "mercury",
    "oatmeal",     "pearl",      "radish",  "sapphire", "tulip",     "vanilla",  "wasp",
    "aspen",       "buttermilk", "crystal", "dolphin",  "emerald",   "fossil",   "gravel",
    "hedgehog",    "lobster",    "muslin",  "otter",    "poppy",     "rosemary", "sparrow",
    "tortoise",    "vulture",    "wolf",    "aniseed",  "beaver",    "clover",   "donkey",
    "ferns",       "gooseberry", "hornet",  "lichen",   "magpie",    "olive",    "parsley",
    "ruby",        "swallow",    "trout",   "walrus",   "alabaster", "bracken",  "cobalt",
    "daffodil",    "flint",      "grapes",  "herring"};

constexpr std::array<std::string_view, 48> kNames{
    "Marion",   "Edward",  "Alice",     "Henry",   "Martha",  "George",  "Helen",  "Arthur",
    "Emma",     "Robert",  "Clara",     "Thomas",  "Julia",   "William", "Rachel", "Samuel",
    "Louisa",   "Richard", "Fanny",     "Charles", "Anne",    "Philip",  "Grace",  "Walter",
    "Lucy",     "Francis", "Eleanor",   "Ralph",   "Agnes",   "Oliver",  "Ruth",   "Daniel",
    "Margaret", "Simon",   "Catherine", "Peter",   "Dorothy", "James",   "Sarah",  "Paul",
    "Harriet",  "David",   "Isabel",    "Stephen", "Laura",   "Andrew",  "Susan",  "Joseph"};

} // namespace

std::string plainSentence(Dice& dice)
{
    const std::string who = dice.pick(kWho);
    const std::string did = dice.pick(kDid);
    const std::string what = dice.pick(kWhat);
    const std::string where = dice.pick(kWhere);
    return who + " " + did + " " + what + " " + where + " " + dice.pick(kWhen) + ".";
}

std::string denseSentence(Dice& dice)
{
    std::string text;
    const auto add = [&](std::span<const std::string_view> words) {
        text += (text.empty() ? "" : " ") + dice.pick(words);
    };
    add(kLike);
    add(kThings);
    add(kDoing);
    add(kLike);
    add(kThings);
    add(kPlace);
    add(kLike);
    add(kThings);
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text + ".";
}

std::string denseText(const Tokenizer& tokenizer, std::uint32_t tokens)
{
    constexpr int kSentences = 10; // added at a time
    Dice dice(1);
    std::string text;
    while (tokenizer.encode(text, SpecialTokens::AsText, false).ids.size() < tokens) {
        for (int i = 0; i < kSentences; ++i)
            text += denseSentence(dice) + " ";
    }
    return text;
}

std::span<const std::string_view> answerWords()
{
    return kAnswers;
}

std::span<const std::string_view> firstNames()
{
    return kNames;
}

} // namespace engine
