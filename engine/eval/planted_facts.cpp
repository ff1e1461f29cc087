#include "engine/eval/planted_facts.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

namespace engine {
namespace {

constexpr std::size_t kKeysPerQuestion = 4; // of multi-key: three are there to mislead
constexpr std::array<std::string_view, 3> kOrdinals{"first", "second", "third"};
constexpr std::array<std::string_view, 4> kPossessions{
    "The favourite stone of ", "The secret word of ", "What is missing from the house of ",
    "The only thing that never bored "};

/// Hands out things in random order, each once.
class Deck
{
public:
    Deck(Dice& dice, std::size_t count)
        : m_left(count)
    {
        std::iota(m_left.begin(), m_left.end(), std::size_t{0});
        for (std::size_t i = count; i > 1; --i)
            std::swap(m_left[i - 1], m_left[dice.roll(i)]);
    }

    std::size_t draw()
    {
        const std::size_t drawn = m_left.back();
        m_left.pop_back();
        return drawn;
    }

private:
    std::vector<std::size_t> m_left;
};

/// Makes the facts; words, names and numbers are used once each.
class Planter
{
public:
    Planter(Dice& dice, std::uint32_t questions)
        : m_dice(dice)
        , m_questions(questions)
        , m_words(dice, answerWords().size())
        , m_names(dice, firstNames().size())
        , m_rooms(dice, 100)
    {}

    PlantedFacts plant()
    {
        for (std::uint32_t i = 0; i < m_questions; ++i) {
            needle(std::string(kPossessions[i % kPossessions.size()]) + name());
            multiKey();
            multiValue();
        }
        for (std::uint32_t i = 0; i < m_questions; ++i)
            passkey();
        // After the others: rooms that are drawn now are not in the text.
        for (std::uint32_t i = 0; i < m_questions; ++i)
            m_facts.questions.push_back(
                {"absent",
                 {{continuationQuestion(roomKey()), {"", "That is not in this document."}}}});
        return std::move(m_facts);
    }

private:
    std::string word() { return std::string(answerWords()[m_words.draw()]); }
    std::string name() { return std::string(firstNames()[m_names.draw()]); }

    /// Rooms differ in their last two digits.
    std::string roomKey()
    {
        const std::size_t number = 100 + m_rooms.draw() + 100 * m_dice.roll(9);
        const std::string digits = std::to_string(number);
        m_digits.insert(digits);
        return "The key to room " + digits + " is";
    }

    QuestionPart fact(const std::string& beginning, const std::string& answer)
    {
        m_facts.sentences.push_back(beginning + " " + answer + ".");
        return {continuationQuestion(beginning), {answer + "."}};
    }

    void needle(const std::string& beginning)
    {
        m_facts.questions.push_back({"needle", {fact(beginning + " is", word())}});
    }

    void multiKey()
    {
        m_facts.questions.push_back({"multi-key", {fact(roomKey(), word())}});
        for (std::size_t i = 1; i < kKeysPerQuestion; ++i)
            fact(roomKey(), word());
    }

    void multiValue()
    {
        EvalQuestion question{"multi-value", {}};
        const std::string receiver = name();
        for (const std::string_view ordinal : kOrdinals)
            question.parts.push_back(fact(
                "Among the gifts for " + receiver + " " + std::string(ordinal) + " came", word()));
        m_facts.questions.push_back(std::move(question));
    }

    void passkey()
    {
        const std::string answer = word() + "-" + digits();
        m_facts.questions.push_back(
            {"passkey", {fact("The pass key of " + name() + " is", answer)}});
    }

    /// Five digits of which no two at the beginning and no three in a row were used before.
    std::string digits()
    {
        while (true) {
            std::string number = std::to_string(10000 + m_dice.roll(90000));
            std::vector<std::string> windows{number.substr(0, 2)};
            for (std::size_t i = 0; i + 3 <= number.size(); ++i)
                windows.push_back(number.substr(i, 3));
            const std::set<std::string> once(windows.begin(), windows.end());
            const bool isNew = std::ranges::none_of(
                windows, [&](const std::string& each) { return m_digits.contains(each); });
            if (!isNew || once.size() < windows.size())
                continue;
            m_digits.insert(windows.begin(), windows.end());
            return number;
        }
    }

    Dice& m_dice;
    std::uint32_t m_questions;
    Deck m_words;
    Deck m_names;
    Deck m_rooms; // by their last two digits
    std::set<std::string> m_digits;
    PlantedFacts m_facts;
};

} // namespace

std::string continuationQuestion(const std::string& beginning)
{
    return "What follows \"" + beginning + "\"?";
}

PlantedFacts plantFacts(Dice& dice, std::uint32_t questions)
{
    return Planter(dice, questions).plant();
}

} // namespace engine
