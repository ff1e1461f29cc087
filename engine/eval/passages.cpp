#include "engine/eval/passages.h"

#include "engine/eval/planted_facts.h"
#include "engine/text/sentences.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <set>

namespace engine {
namespace {

constexpr std::size_t kLongestSentence = 300; // bytes
constexpr std::size_t kKeywordLetters = 5;    // at least
constexpr std::size_t kQuotedWords = 4;       // at least, of a sentence
constexpr std::size_t kAnsweredWords = 3;     // at least

using Three = std::array<std::int32_t, 3>;

Three threeUpTo(const std::vector<std::int32_t>& ids, std::size_t last)
{
    return {ids[last - 2], ids[last - 1], ids[last]};
}

/// Places of the words of a sentence, without the blanks.
std::vector<ByteRange> wordsOf(std::string_view text, ByteRange sentence)
{
    std::vector<ByteRange> words;
    for (std::uint32_t i = sentence.begin; i < sentence.end; ++i) {
        const bool begins = i == sentence.begin || text[i - 1] == ' ';
        if (begins)
            words.push_back({i, i});
        if (text[i] != ' ' && !words.empty())
            words.back().end = i + 1;
    }
    return words;
}

std::string lowerLetters(std::string_view word)
{
    std::string letters;
    for (const char each : word) {
        const auto byte = static_cast<unsigned char>(each);
        if (std::isalpha(byte) != 0)
            letters += static_cast<char>(std::tolower(byte));
    }
    return letters;
}

} // namespace

Passages::Passages(std::string_view text, const TokenisedText& tokens,
                   std::vector<ByteRange> sentences)
    : m_text(text)
    , m_tokens(tokens)
    , m_sentences(std::move(sentences))
{
    std::erase_if(m_sentences, [](const ByteRange& each) {
        return each.end - each.begin > kLongestSentence || each.end == each.begin;
    });
}

/// Asks about the first sentence of each part, in random order, that gives a question; of the
/// whole text where a part has none, as parts of short documents may; and at last with the looser
/// demand on a sentence.
template <typename Ask>
std::vector<EvalQuestion> Passages::fromEachPart(Dice& dice, std::uint32_t questions, Ask ask) const
{
    std::vector<ByteRange> unasked = m_sentences;
    const auto drawFrom = [&](std::vector<ByteRange> candidates,
                              Demand demand) -> std::optional<EvalQuestion> {
        while (!candidates.empty()) {
            const auto drawn =
                candidates.begin() + static_cast<std::ptrdiff_t>(dice.roll(candidates.size()));
            if (auto question = ask(*drawn, demand)) {
                std::erase_if(unasked,
                              [&](const ByteRange& each) { return each.begin == drawn->begin; });
                return question;
            }
            candidates.erase(drawn);
        }
        return std::nullopt;
    };
    std::vector<EvalQuestion> asked;
    for (std::size_t part = 0; part < questions; ++part) {
        const std::uint32_t begin = startOf(m_sentences.size() * part / questions);
        const std::uint32_t end = startOf(m_sentences.size() * (part + 1) / questions);
        std::vector<ByteRange> candidates;
        std::ranges::copy_if(unasked, std::back_inserter(candidates), [&](const ByteRange& each) {
            return each.begin >= begin && each.begin < end;
        });
        auto question = drawFrom(std::move(candidates), Demand::AllOnce);
        for (const Demand demand : {Demand::AllOnce, Demand::BeginningOnce}) {
            if (!question)
                question = drawFrom(unasked, demand);
        }
        if (!question) {
            throw Error(ErrorCode::BadInput,
                        "The text has too few sentences that can be told from all others for so "
                        "many questions. Ask fewer, or choose a longer length or another corpus.");
        }
        asked.push_back(std::move(*question));
    }
    return asked;
}

std::uint32_t Passages::startOf(std::size_t sentence) const
{
    return sentence < m_sentences.size() ? m_sentences[sentence].begin
                                         : static_cast<std::uint32_t>(m_text.size());
}

bool Passages::leadsOnce(ByteRange answer, Demand demand) const
{
    const std::uint32_t last = demand == Demand::AllOnce ? answer.end : answer.begin;
    std::set<Three> leading;
    for (std::size_t i = 2; i < m_tokens.ids.size(); ++i) {
        const std::uint32_t end = m_tokens.ranges[i].end;
        // The last one leads to the end of the paragraph.
        if (end >= answer.begin && end <= last &&
            !leading.insert(threeUpTo(m_tokens.ids, i)).second)
            return false;
    }
    std::size_t places = 0;
    for (std::size_t i = 2; i < m_tokens.ids.size(); ++i)
        places += leading.contains(threeUpTo(m_tokens.ids, i)) ? 1 : 0;
    return !leading.empty() && places == leading.size();
}

std::vector<EvalQuestion> Passages::quotes(Dice& dice, std::uint32_t questions) const
{
    return fromEachPart(
        dice, questions, [&](ByteRange sentence, Demand demand) -> std::optional<EvalQuestion> {
            const std::vector<ByteRange> words = wordsOf(m_text, sentence);
            if (words.size() < kQuotedWords + kAnsweredWords)
                return std::nullopt;
            const std::size_t quoted = std::max(kQuotedWords, words.size() / 2);
            const std::uint32_t cut = words[quoted - 1].end;
            const std::string_view beginning = m_text.substr(sentence.begin, cut - sentence.begin);
            if (beginning.find('"') != std::string_view::npos ||
                !leadsOnce({cut, sentence.end}, demand))
                return std::nullopt;
            return EvalQuestion{"quote",
                                {{continuationQuestion(std::string(beginning)),
                                  {std::string(m_text.substr(cut + 1, sentence.end - cut - 1))}}}};
        });
}

std::vector<EvalQuestion> Passages::keywords(Dice& dice, std::uint32_t questions) const
{
    // In which sentences each word stands.
    std::map<std::string, std::set<std::size_t>> places;
    const std::vector<ByteRange> sentences = splitSentences(m_text);
    for (std::size_t number = 0; number < sentences.size(); ++number) {
        for (std::uint32_t i = sentences[number].begin; i < sentences[number].end; ++i) {
            std::uint32_t end = i;
            while (end < m_text.size() &&
                   std::isalpha(static_cast<unsigned char>(m_text[end])) != 0)
                ++end;
            if (end - i >= kKeywordLetters)
                places[lowerLetters(m_text.substr(i, end - i))].insert(number);
            i = std::max(i, end);
        }
    }
    return fromEachPart(
        dice, questions, [&](ByteRange sentence, Demand) -> std::optional<EvalQuestion> {
            std::vector<std::string> words;
            for (const ByteRange& each : wordsOf(m_text, sentence)) {
                const std::string word =
                    lowerLetters(m_text.substr(each.begin, each.end - each.begin));
                if (places.contains(word))
                    words.push_back(word);
            }
            std::ranges::stable_sort(words, {},
                                     [&](const auto& word) { return places[word].size(); });
            if (words.size() < 2 || words[0] == words[1])
                return std::nullopt;
            std::vector<std::size_t> both;
            std::ranges::set_intersection(places[words[0]], places[words[1]],
                                          std::back_inserter(both));
            if (both.size() != 1)
                return std::nullopt;
            return EvalQuestion{
                "keyword",
                {{"What is said about " + words[0] + " and " + words[1] + "?",
                  {std::string(m_text.substr(sentence.begin, sentence.end - sentence.begin))}}}};
        });
}

} // namespace engine
