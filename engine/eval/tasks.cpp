#include "engine/eval/tasks.h"

#include "engine/error.h"
#include "engine/eval/passages.h"
#include "engine/eval/planted_facts.h"
#include "engine/text/sentences.h"

#include <algorithm>

namespace engine {
namespace {

constexpr std::size_t kPlainSentences = 2; // of a made-up paragraph, before its dense one
constexpr std::string_view kBetween = "\n\n";
constexpr std::size_t kShortParagraph = 160; // bytes of a corpus's paragraph before it may be cut

/// Paragraphs of a corpus, one after the other, or made-up ones without end. Long ones are cut
/// behind a sentence: a sentence that is asked for has to end its paragraph, and a novel has
/// hundreds of words in one.
class Filler
{
public:
    Filler(Dice& dice, const std::string& corpus)
        : m_dice(dice)
        , m_isMadeUp(corpus.empty())
    {
        for (std::size_t begin = 0; begin < corpus.size();) {
            const std::size_t end = std::min(corpus.find(kBetween, begin), corpus.size());
            addCut(oneLine(corpus.substr(begin, end - begin)));
            begin = end + kBetween.size();
        }
        if (!m_paragraphs.empty())
            m_next = dice.roll(m_paragraphs.size());
    }

    /// Throws BadInput when the corpus is used up.
    std::string next()
    {
        if (m_isMadeUp) {
            std::string text;
            for (std::size_t i = 0; i < kPlainSentences; ++i)
                text += plainSentence(m_dice) + " ";
            return text + denseSentence(m_dice);
        }
        if (m_used++ >= m_paragraphs.size()) {
            throw Error(ErrorCode::BadInput,
                        "The corpus is shorter than the documents that are to be made of it. Give "
                        "a longer text, or choose shorter lengths.");
        }
        return m_paragraphs[m_next++ % m_paragraphs.size()];
    }

private:
    void addCut(std::string_view paragraph)
    {
        std::size_t begin = 0;
        for (const ByteRange& sentence : splitSentences(paragraph)) {
            if (sentence.end - begin < kShortParagraph && sentence.end < paragraph.size())
                continue;
            m_paragraphs.emplace_back(paragraph.substr(begin, sentence.end - begin));
            begin = sentence.end + 1; // the blank between
        }
    }

    /// Books are broken into lines; a paragraph is one line.
    static std::string oneLine(const std::string& lines)
    {
        std::string text;
        for (const char each : lines) {
            const bool isBlank = each == '\n' || each == '\r' || each == ' ' || each == '\t';
            if (!isBlank)
                text += each;
            else if (!text.empty() && text.back() != ' ')
                text += ' ';
        }
        while (text.ends_with(' '))
            text.pop_back();
        return text;
    }

    Dice& m_dice;
    bool m_isMadeUp;
    std::vector<std::string> m_paragraphs;
    std::size_t m_next = 0;
    std::size_t m_used = 0;
};

std::uint64_t tokensOf(const Tokenizer& tokenizer, const std::string& paragraph)
{
    return tokenizer.encode(paragraph + std::string(kBetween), SpecialTokens::AsText, false)
        .ids.size();
}

/// The place of the last sentence of a paragraph that stands at `begin`.
ByteRange lastSentence(const std::string& paragraph, std::size_t begin)
{
    const std::size_t last = splitSentences(paragraph).back().begin;
    const std::size_t start = paragraph.find_first_not_of(' ', last);
    return {static_cast<std::uint32_t>(begin + start),
            static_cast<std::uint32_t>(begin + paragraph.size())};
}

struct Assembled
{
    std::string text;
    std::vector<ByteRange> sentences; // that end a paragraph of the filler
};

/// Facts at even depths: the first at the very beginning, the last at the very end.
Assembled assemble(const std::vector<std::string>& facts, const std::vector<std::string>& filler)
{
    Assembled out;
    const auto add = [&](const std::string& paragraph) {
        if (!out.text.empty())
            out.text += kBetween;
        out.text += paragraph;
    };
    std::size_t used = 0;
    for (std::size_t fact = 0; fact < facts.size(); ++fact) {
        add(facts[fact]);
        const std::size_t end =
            filler.size() * (fact + 1) / std::max<std::size_t>(facts.size() - 1, 1);
        for (; used < std::min(end, filler.size()) && fact + 1 < facts.size(); ++used) {
            add(filler[used]);
            out.sentences.push_back(
                lastSentence(filler[used], out.text.size() - filler[used].size()));
        }
    }
    return out;
}

void shuffle(Dice& dice, std::vector<std::string>& texts)
{
    for (std::size_t i = texts.size(); i > 1; --i)
        std::swap(texts[i - 1], texts[dice.roll(i)]);
}

std::vector<std::string> fillerFor(const Tokenizer& tokenizer, Dice& dice,
                                   const DocumentOptions& options, std::uint64_t factTokens)
{
    if (factTokens * 3 > options.tokens * 2) {
        throw Error(ErrorCode::BadInput, "A length of " + std::to_string(options.tokens) +
                                             " tokens is too short for the facts, which take " +
                                             std::to_string(factTokens) + ". Choose at least " +
                                             std::to_string(factTokens * 3 / 2) +
                                             ", or fewer questions.");
    }
    Filler source(dice, options.corpus);
    std::vector<std::string> filler;
    std::uint64_t used = factTokens;
    while (true) {
        std::string paragraph = source.next();
        used += tokensOf(tokenizer, paragraph);
        if (used > options.tokens)
            return filler;
        filler.push_back(std::move(paragraph));
    }
}

} // namespace

const std::vector<TaskInfo>& evalTasks()
{
    static const std::vector<TaskInfo> kTasks{
        {"needle", "a sentence that stands once, one of several kinds", false},
        {"multi-key", "one of many sentences that differ in a number only", false},
        {"multi-value", "three values of one name, in three places; all must be right", false},
        {"passkey", "a word with five digits", false},
        {"quote", "the second half of a sentence of the text itself", false},
        {"absent", "a key that is not in the document: nothing, or to say so, is right", false},
        {"keyword", "the sentence in which two words stand; for a trained model", true},
    };
    return kTasks;
}

void checkTask(const std::string& id)
{
    std::string known;
    for (const TaskInfo& task : evalTasks()) {
        if (task.id == id)
            return;
        known += (known.empty() ? "" : ", ") + task.id;
    }
    throw Error(ErrorCode::BadInput,
                "There is no task \"" + id + "\". Choose among: " + known + ".");
}

EvalDocument makeEvalDocument(const Tokenizer& tokenizer, const DocumentOptions& options)
{
    Dice dice(options.seed);
    PlantedFacts facts = plantFacts(dice, options.questions);
    shuffle(dice, facts.sentences);
    std::uint64_t factTokens = 0;
    for (const std::string& sentence : facts.sentences)
        factTokens += tokensOf(tokenizer, sentence);
    std::vector<std::string> filler = fillerFor(tokenizer, dice, options, factTokens);
    Assembled assembled = assemble(facts.sentences, filler);
    TokenisedText tokens = tokenizer.encode(assembled.text, SpecialTokens::AsText, false);
    while (tokens.ids.size() > options.tokens && !filler.empty()) { // pieces met at their seams
        filler.pop_back();
        assembled = assemble(facts.sentences, filler);
        tokens = tokenizer.encode(assembled.text, SpecialTokens::AsText, false);
    }
    const Passages passages(assembled.text, tokens, assembled.sentences);
    const auto isAsked = [&](std::string_view task) {
        return options.tasks.empty() ||
               std::ranges::find(options.tasks, task) != options.tasks.end();
    };
    std::erase_if(facts.questions, [&](const EvalQuestion& each) { return !isAsked(each.task); });
    if (isAsked("quote")) {
        for (auto&& each : passages.quotes(dice, options.questions))
            facts.questions.push_back(std::move(each));
    }
    if (isAsked("keyword")) {
        Dice own(~options.seed); // the same questions whether quotes are asked for or not
        for (auto&& each : passages.keywords(own, options.questions))
            facts.questions.push_back(std::move(each));
    }
    std::ranges::stable_sort(facts.questions, {}, [](const EvalQuestion& each) {
        return std::ranges::find(evalTasks(), each.task, &TaskInfo::id) - evalTasks().begin();
    });
    return {std::move(assembled.text), tokens.ids.size(), std::move(facts.questions)};
}

} // namespace engine
