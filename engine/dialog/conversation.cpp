#include "engine/dialog/context.h"
#include "engine/dialog/evidence.h"
#include "engine/dialog/prompt_tokens.h"
#include "engine/dialog/sampler.h"
#include "engine/dialog/stop_strings.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>

namespace engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kEvidencePlaces = 64;
constexpr std::size_t kPromptBlock = 512;

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

} // namespace

class Conversation::Impl
{
public:
    Impl(std::shared_ptr<LoadedModel> loaded, std::shared_ptr<const Context> prepared,
         std::vector<Exchange> earlierExchanges)
        : model(std::move(loaded))
        , context(std::move(prepared))
        , store(context->store())
        , exchanges(std::move(earlierExchanges))
    {}

    /// Reads tokens into the tail and returns the logits after the last one.
    std::vector<float> read(std::span<const std::int32_t> tokens, Role role, LogitRows logits,
                            Hooks& hooks, const std::stop_token& stop)
    {
        std::vector<float> last;
        for (std::size_t begin = 0; begin < tokens.size(); begin += kPromptBlock) {
            const std::size_t count = std::min(kPromptBlock, tokens.size() - begin);
            Job job;
            job.tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                              tokens.begin() + static_cast<std::ptrdiff_t>(begin + count));
            job.positions.resize(count);
            std::iota(job.positions.begin(), job.positions.end(), store.nextPosition());
            job.role = role;
            job.logits = begin + count == tokens.size() ? logits : LogitRows::None;
            last = model->transformer().run(std::move(job), store, hooks, stop).logits;
        }
        return last;
    }

    void requireRoom(std::size_t tokens) const
    {
        if (tokens + 1 > left()) {
            throw Error(ErrorCode::TooLarge,
                        "The conversation has filled the model's window of " +
                            std::to_string(model->config().contextLength) +
                            " tokens. Start a new conversation with the same document; nothing is "
                            "read again for that.");
        }
    }

    std::uint64_t left() const
    {
        const auto used = static_cast<std::uint64_t>(store.nextPosition());
        const std::uint64_t window = model->config().contextLength;
        return window > used ? window - used : 0;
    }

    /// Exchanges of a stored conversation are read when the first question comes.
    void readEarlier(const PromptTokens& prompts, const std::stop_token& stop)
    {
        Hooks none;
        for (; inTail < exchanges.size(); ++inTail) {
            const Exchange& exchange = exchanges[inTail];
            auto tokens = prompts.turn(std::span(exchanges).first(inTail), exchange.question);
            const auto answer =
                model->tokenizer().encode(exchange.answer, SpecialTokens::AsText, false).ids;
            tokens.insert(tokens.end(), answer.begin(), answer.end());
            requireRoom(tokens.size());
            read(tokens, Role::Query, LogitRows::None, none, stop);
        }
    }

    struct Generated
    {
        std::vector<std::int32_t> ids;
        std::vector<std::uint32_t> ends; // byte end of each token in the raw text
        std::string raw;
        std::uint32_t blanks = 0; // at the start of the raw text, not part of the answer
    };

    void generate(std::vector<float> logits, const AskOptions& options,
                  const std::function<void(std::string_view)>& onText, const std::stop_token& stop,
                  Clock::time_point start, Answer& answer, Generated& generated);
    void collectEvidence(const KvStore::Mark& beforeLast, std::int32_t lastOfQuestion,
                         const Generated& generated, Answer& answer);

    std::shared_ptr<LoadedModel> model;
    std::shared_ptr<const Context> context;
    KvStore store;
    std::vector<Exchange> exchanges;
    std::size_t inTail = 0; // exchanges that the tail holds
};

void Conversation::Impl::generate(std::vector<float> logits, const AskOptions& options,
                                  const std::function<void(std::string_view)>& onText,
                                  const std::stop_token& stop, Clock::time_point start,
                                  Answer& answer, Generated& generated)
{
    Sampler sampler(samplingOf(options));
    Utf8Stream characters;
    StopStrings stops(options.stopStrings);
    Hooks none;
    const auto emit = [&](std::string text) {
        // Tokens carry the blank in front of a word; an answer does not begin with one.
        if (answer.text.empty()) {
            const std::size_t blanks = std::min(text.find_first_not_of(" \n"), text.size());
            generated.blanks += static_cast<std::uint32_t>(blanks);
            text.erase(0, blanks);
        }
        if (text.empty())
            return;
        answer.text += text;
        if (onText)
            onText(text);
    };
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
        emit(stops.push(characters.push(piece)));
        if (stops.isStopped())
            break;
        answer.reachedLimit = generated.ids.size() >= options.maxTokens || left() <= 1;
        if (answer.reachedLimit)
            break;
        const std::array<std::int32_t, 1> next{id};
        logits = read(next, Role::Generated, LogitRows::Last, none, {});
    }
    if (!stops.isStopped())
        emit(stops.push(characters.finish()) + stops.finish());
    const double decoding = secondsSince(firstToken);
    answer.tokensPerSecond = answer.tokens > 1 && decoding > 0 ? (answer.tokens - 1) / decoding : 0;
}

/// The rows that chose a sentence's tokens are the ones before them: they are run once more,
/// sentence by sentence, with the sums of their attention taken. The tail then ends with the
/// answer's last token, which generating had no need to read.
void Conversation::Impl::collectEvidence(const KvStore::Mark& beforeLast,
                                         std::int32_t lastOfQuestion, const Generated& generated,
                                         Answer& answer)
{
    if (generated.ids.empty())
        return;
    std::vector<std::int32_t> rows{lastOfQuestion};
    rows.insert(rows.end(), generated.ids.begin(), generated.ids.end());
    store.truncate(beforeLast);
    std::size_t row = 0;
    for (const ByteRange& sentence : splitSentences(answer.text)) {
        std::size_t end = row;
        while (end < generated.ids.size() &&
               (end == row || generated.ends[end] <= sentence.end + generated.blanks))
            ++end;
        if (end == row)
            break;
        EvidenceHooks hooks(context->prefixRows(),
                            static_cast<std::uint32_t>(context->ranges().size()),
                            context->tokenOfRow());
        read(std::span(rows).subspan(row, end - row), Role::Generated, LogitRows::None, hooks, {});
        answer.evidence.push_back({sentence, hooks.places(kEvidencePlaces)});
        row = end;
    }
    Hooks none;
    read(std::span(rows).subspan(row), Role::Generated, LogitRows::None, none, {});
}

Conversation::Conversation(std::shared_ptr<LoadedModel> model,
                           std::shared_ptr<const Context> context, std::vector<Exchange> earlier)
    : m_impl(std::make_unique<Impl>(std::move(model), std::move(context), std::move(earlier)))
{
    checkIdentity(m_impl->context->info(), *m_impl->model, {});
}

Conversation::~Conversation() = default;

Answer Conversation::ask(const std::string& question, const AskOptions& options,
                         const std::function<void(std::string_view)>& onText, std::stop_token stop)
{
    if (question.find_first_not_of(" \t\r\n") == std::string::npos)
        throw Error(ErrorCode::BadInput, "The question is empty. Type a question first.");
    Impl& impl = *m_impl;
    const auto start = Clock::now();
    const PromptTokens prompts(*impl.model, impl.context->systemText(), options.raw);
    const KvStore::Mark beforeAll = impl.store.mark();
    const auto undo = [&impl, beforeAll, inTailBefore = impl.inTail] {
        impl.store.truncate(beforeAll);
        impl.inTail = inTailBefore;
    };
    Answer answer;
    Impl::Generated generated;
    try {
        impl.readEarlier(prompts, stop);
        const auto tokens = prompts.turn(impl.exchanges, question);
        impl.requireRoom(tokens.size());
        Hooks none;
        impl.read(std::span(tokens).first(tokens.size() - 1), Role::Query, LogitRows::None, none,
                  stop);
        const KvStore::Mark beforeLast = impl.store.mark();
        auto logits =
            impl.read(std::span(tokens).last(1), Role::Query, LogitRows::Last, none, stop);
        impl.generate(std::move(logits), options, onText, stop, start, answer, generated);
        impl.collectEvidence(beforeLast, tokens.back(), generated, answer);
        answer.tokensInContext = impl.store.rowCount();
    } catch (const Error& error) {
        undo();
        if (error.code() != ErrorCode::Cancelled)
            throw;
        answer.stoppedByUser = true;
        answer.tokensInContext = impl.store.rowCount();
        return answer;
    } catch (...) {
        undo();
        throw;
    }
    impl.exchanges.push_back({question, answer.text});
    impl.inTail = impl.exchanges.size();
    const auto& roles = impl.store.roles();
    const auto& prepared = impl.context->store().roles();
    answer.tokensReread = static_cast<std::uint64_t>(std::ranges::count(roles, Role::Document) -
                                                     std::ranges::count(prepared, Role::Document));
    return answer;
}

std::uint64_t Conversation::tokensLeft() const
{
    return m_impl->left();
}

} // namespace engine
