#include "engine/dialog/context.h"
#include "engine/dialog/evidence.h"
#include "engine/dialog/prompt_tokens.h"
#include "engine/dialog/sampler.h"
#include "engine/dialog/stop_strings.h"
#include "engine/dialog/tail.h"
#include "engine/methods/method.h"
#include "engine/text/sentences.h"

#include <array>
#include <chrono>
#include <numeric>

namespace engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kEvidencePlaces = 64;

double secondsSince(Clock::time_point start)
{
    return std::chrono::duration<double>(Clock::now() - start).count();
}

SamplingOptions samplingOf(const AskOptions& options)
{
    SamplingOptions sampling;
    sampling.temperature = options.temperature;
    sampling.topK = options.topK;
    sampling.topP = options.topP;
    sampling.minP = options.minP;
    sampling.repetitionPenalty = options.repetitionPenalty;
    sampling.seed = options.seed;
    return sampling;
}

/// The document token of each row behind the prefix.
std::vector<std::uint32_t> tokensOfRows(const Context& context)
{
    const auto known = context.tokenOfRow();
    if (!known.empty())
        return {known.begin(), known.end()};
    std::vector<std::uint32_t> tokens(context.ranges().size());
    std::iota(tokens.begin(), tokens.end(), 0U);
    return tokens;
}

std::unique_ptr<AnswerMethod> answerMethodOf(const Context& context, LoadedModel& model)
{
    const MethodEntry entry = findMethod(context.info().method);
    return entry.answer ? entry.answer(context, model) : std::make_unique<PlainAnswer>();
}

} // namespace

class Conversation::Impl
{
public:
    Impl(std::shared_ptr<LoadedModel> loaded, std::shared_ptr<const Context> prepared,
         std::vector<Exchange> earlierExchanges, std::unique_ptr<AnswerMethod> method)
        : model(std::move(loaded))
        , context(std::move(prepared))
        , tokenOfRow(tokensOfRows(*context))
        , tail(*model, context->store(), context->info().window, std::move(method))
        , exchanges(std::move(earlierExchanges))
    {}

    void requireRoom(std::size_t tokens) const
    {
        if (tokens + 1 > tail.left()) {
            throw Error(ErrorCode::TooLarge,
                        "The conversation has filled the model's window of " +
                            std::to_string(context->info().window) +
                            " tokens. Start a new conversation with the same document; nothing is "
                            "read again for that.");
        }
    }

    /// Exchanges of a stored conversation are read when the first question comes.
    void readEarlier(const PromptTokens& prompts, const std::stop_token& stop)
    {
        for (; inTail < exchanges.size(); ++inTail) {
            const Exchange& exchange = exchanges[inTail];
            auto tokens = prompts.turn(std::span(exchanges).first(inTail), exchange.question);
            const auto answer = prompts.answer(tokens, exchange.answer);
            tokens.insert(tokens.end(), answer.begin(), answer.end());
            requireRoom(tokens.size());
            if (!tail.method().takeExchange(tokens, tail.store(), stop))
                tail.read(tokens, Role::Query, LogitRows::None, stop);
        }
    }

    struct Generated
    {
        std::vector<std::int32_t> ids;
        std::vector<std::uint32_t> ends; // byte end of each token in the raw text
        std::string raw;
        std::uint32_t blanks = 0; // at the start of the raw text, not part of the answer
        std::size_t read = 0;     // ids that the tail has
    };

    void generate(std::vector<float> logits, const AskOptions& options,
                  const std::function<void(std::string_view)>& onText, const std::stop_token& stop,
                  Clock::time_point start, Answer& answer, Generated& generated);
    void collectEvidence(Tail::Snapshot beforeLast, std::int32_t lastOfQuestion,
                         const Generated& generated, Answer& answer);

    /// The answer's last token, where generating had no need to read it.
    void readRest(const Generated& generated)
    {
        tail.read(std::span(generated.ids).subspan(generated.read), Role::Generated,
                  LogitRows::None, {});
    }

    std::shared_ptr<LoadedModel> model;
    std::shared_ptr<const Context> context;
    std::vector<std::uint32_t> tokenOfRow; // of the context's store
    Tail tail;
    std::vector<Exchange> exchanges;
    std::size_t inTail = 0; // exchanges that the tail holds
};

namespace {

/// The answer's text as it grows: whole characters only, and nothing of a stop string.
class AnswerStream
{
public:
    AnswerStream(const std::vector<std::string>& stopStrings,
                 const std::function<void(std::string_view)>& onText, Answer& answer)
        : m_stops(stopStrings)
        , m_onText(onText)
        , m_answer(answer)
    {}

    void push(std::string_view piece) { emit(m_stops.push(m_characters.push(piece))); }

    /// What was held back because it could have begun a stop string or a character.
    void finish()
    {
        if (!isStopped())
            emit(m_stops.push(m_characters.finish()) + m_stops.finish());
    }

    bool isStopped() const { return m_stops.isStopped(); }

    /// Blanks at the start of the raw text that are not part of the answer.
    std::uint32_t blanks() const { return m_blanks; }

private:
    void emit(std::string text)
    {
        // Tokens carry the blank in front of a word; an answer does not begin with one.
        if (m_answer.text.empty()) {
            const std::size_t blanks = std::min(text.find_first_not_of(" \n"), text.size());
            m_blanks += static_cast<std::uint32_t>(blanks);
            text.erase(0, blanks);
        }
        if (text.empty())
            return;
        m_answer.text += text;
        if (m_onText)
            m_onText(text);
    }

    Utf8Stream m_characters;
    StopStrings m_stops;
    const std::function<void(std::string_view)>& m_onText;
    Answer& m_answer;
    std::uint32_t m_blanks = 0;
};

} // namespace

void Conversation::Impl::generate(std::vector<float> logits, const AskOptions& options,
                                  const std::function<void(std::string_view)>& onText,
                                  const std::stop_token& stop, Clock::time_point start,
                                  Answer& answer, Generated& generated)
{
    Sampler sampler(samplingOf(options));
    AnswerStream stream(options.stopStrings, onText, answer);
    Clock::time_point firstToken = start;
    while (true) {
        if (stop.stop_requested()) {
            answer.stoppedByUser = true;
            break;
        }
        const std::int32_t id = sampler.sample(logits);
        if (answer.tokens++ == 0) {
            answer.firstTokenSeconds = secondsSince(start);
            firstToken = Clock::now();
        }
        if (model->tokenizer().isEndOfGeneration(id))
            break;
        sampler.accept(id);
        const std::string piece = model->tokenizer().piece(id, false);
        generated.ids.push_back(id);
        generated.raw += piece;
        generated.ends.push_back(static_cast<std::uint32_t>(generated.raw.size()));
        stream.push(piece);
        if (stream.isStopped())
            break;
        answer.reachedLimit = generated.ids.size() >= options.maxTokens || tail.left() <= 1;
        if (answer.reachedLimit)
            break;
        const std::array<std::int32_t, 1> next{id};
        logits = tail.read(next, Role::Generated, LogitRows::Last, {});
        ++generated.read;
    }
    stream.finish();
    generated.blanks = stream.blanks();
    const double decoding = secondsSince(firstToken);
    answer.tokensPerSecond = answer.tokens > 1 && decoding > 0 ? (answer.tokens - 1) / decoding : 0;
}

/// The rows that chose a sentence's tokens are the ones before them: they are run once more,
/// sentence by sentence, with the sums of their attention taken. The tail then ends with the
/// answer's last token, which generating had no need to read.
void Conversation::Impl::collectEvidence(Tail::Snapshot beforeLast, std::int32_t lastOfQuestion,
                                         const Generated& generated, Answer& answer)
{
    if (generated.ids.empty())
        return;
    std::vector<std::int32_t> rows{lastOfQuestion};
    rows.insert(rows.end(), generated.ids.begin(), generated.ids.end());
    tail.goBack(std::move(beforeLast));
    std::size_t row = 0;
    for (const ByteRange& sentence : splitSentences(answer.text)) {
        std::size_t end = row;
        while (end < generated.ids.size() &&
               (end == row || generated.ends[end] <= sentence.end + generated.blanks))
            ++end;
        if (end == row)
            break;
        EvidenceHooks hooks(tail.method(), context->prefixRows(),
                            static_cast<std::uint32_t>(context->ranges().size()),
                            tail.method().tokenOfRow().value_or(tokenOfRow));
        tail.read(std::span(rows).subspan(row, end - row), Role::Generated, LogitRows::None, hooks,
                  {});
        answer.evidence.push_back({sentence, hooks.places(kEvidencePlaces)});
        row = end;
    }
    tail.read(std::span(rows).subspan(row), Role::Generated, LogitRows::None, {});
}

Conversation::Conversation(std::shared_ptr<LoadedModel> model,
                           std::shared_ptr<const Context> context, std::vector<Exchange> earlier)
{
    checkIdentity(context->info(), *model, {});
    auto method = answerMethodOf(*context, *model);
    m_impl = std::make_unique<Impl>(std::move(model), std::move(context), std::move(earlier),
                                    std::move(method));
}

Conversation::Conversation(std::shared_ptr<LoadedModel> model,
                           std::shared_ptr<const Context> context, std::vector<Exchange> earlier,
                           std::unique_ptr<AnswerMethod> method)
{
    checkIdentity(context->info(), *model, {});
    m_impl = std::make_unique<Impl>(std::move(model), std::move(context), std::move(earlier),
                                    std::move(method));
}

Conversation::~Conversation() = default;

Answer Conversation::ask(const std::string& question, const AskOptions& options,
                         const std::function<void(std::string_view)>& onText,
                         const std::stop_token& stop)
{
    if (question.find_first_not_of(" \t\r\n") == std::string::npos)
        throw Error(ErrorCode::BadInput, "The question is empty. Type a question first.");
    Impl& impl = *m_impl;
    const auto start = Clock::now();
    const PromptTokens prompts(*impl.model, impl.context->systemText(), options.raw);
    Tail::Snapshot beforeAll = impl.tail.snapshot();
    const auto undo = [&impl, &beforeAll, inTailBefore = impl.inTail] {
        impl.tail.goBack(std::move(beforeAll));
        impl.inTail = inTailBefore;
    };
    const std::uint64_t readBefore = impl.model->transformer().documentRowsRun();
    Answer answer;
    Impl::Generated generated;
    try {
        impl.readEarlier(prompts, stop);
        const auto tokens = prompts.turn(impl.exchanges, question);
        impl.requireRoom(tokens.size());
        impl.tail.method().beforeQuestion(tokens, impl.tail.store(), stop);
        impl.tail.read(std::span(tokens).first(tokens.size() - 1), Role::Query, LogitRows::None,
                       stop);
        Tail::Snapshot beforeLast = impl.tail.snapshot();
        auto logits = impl.tail.read(std::span(tokens).last(1), Role::Query, LogitRows::Last, stop);
        impl.generate(std::move(logits), options, onText, stop, start, answer, generated);
        if (options.evidence)
            impl.collectEvidence(std::move(beforeLast), tokens.back(), generated, answer);
        else
            impl.readRest(generated);
        answer.tokensInContext = impl.tail.store().rowCount();
    } catch (const Error& error) {
        undo();
        if (error.code() != ErrorCode::Cancelled)
            throw;
        answer.stoppedByUser = true;
        answer.tokensInContext = impl.tail.store().rowCount();
        return answer;
    } catch (...) {
        undo();
        throw;
    }
    impl.exchanges.push_back({question, answer.text});
    impl.inTail = impl.exchanges.size();
    answer.tokensReread = impl.model->transformer().documentRowsRun() - readBefore;
    return answer;
}

std::uint64_t Conversation::tokensLeft() const
{
    return m_impl->tail.left();
}

} // namespace engine
