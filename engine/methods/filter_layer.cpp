#include "engine/methods/filter_layer.h"

#include "engine/methods/filter_votes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

constexpr std::uint32_t kPieces = 2;
constexpr std::uint32_t kPieceTokens = 384;
constexpr std::size_t kContinuation = 32;
constexpr std::uint32_t kKernel = 5;
/// Below this share of equal tokens a layer is not one that selects cleanly.
constexpr double kGoodAgreement = 0.6;
constexpr const char* kInstruction = "Continue the text.";

/// A stretch of the document as a prompt.
struct Prompt
{
    std::vector<std::int32_t> tokens;
    std::uint32_t prefix = 0;
    std::uint32_t turn = 0; // last tokens, which ask for the continuation
};

/// Votes of every candidate layer.
class VotesOfLayers final : public Hooks
{
public:
    explicit VotesOfLayers(std::uint32_t layers)
        : m_votes(layers)
    {}
    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        m_votes[step.layer] = filterVotes(step, scorer);
    }
    const std::vector<float>& of(std::uint32_t layer) const { return m_votes[layer]; }

private:
    std::vector<std::vector<float>> m_votes;
};

/// Reads tokens into a store and returns the logits after the last one or after each.
std::vector<float> read(const DocumentPlan& plan, std::span<const std::int32_t> tokens,
                        LogitRows logits, KvStore& store, Hooks& hooks)
{
    Job job;
    job.tokens.assign(tokens.begin(), tokens.end());
    job.positions.resize(tokens.size());
    std::iota(job.positions.begin(), job.positions.end(), store.nextPosition());
    job.role = Role::Probe;
    job.logits = logits;
    return plan.run(std::move(job), store, hooks).logits;
}

std::int32_t best(std::span<const float> logits)
{
    return static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin());
}

double logSumExp(std::span<const float> logits)
{
    const double largest = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float each : logits)
        sum += std::exp(static_cast<double>(each) - largest);
    return largest + std::log(sum);
}

/// Kullback-Leibler divergence of two softmaxes, natural logarithm.
double divergence(std::span<const float> from, std::span<const float> to)
{
    const double fromTotal = logSumExp(from);
    const double toTotal = logSumExp(to);
    double sum = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
        const double p = static_cast<double>(from[i]) - fromTotal;
        sum += std::exp(p) * (p - (static_cast<double>(to[i]) - toTotal));
    }
    return sum;
}

/// How a layer did so far.
struct Record
{
    std::uint64_t equal = 0;
    double divergence = 0;
};

class Calibration
{
public:
    Calibration(const DocumentPlan& plan, std::uint32_t first, std::uint32_t last)
        : m_plan(plan)
        , m_first(first)
        , m_records(last - first + 1)
    {}

    void run(const Prompt& prompt)
    {
        KvStore store = newStore();
        VotesOfLayers votes(m_plan.layers);
        m_dense = read(m_plan, prompt.tokens, LogitRows::Last, store, votes);
        const std::size_t vocabulary = m_dense.size();
        std::vector<std::int32_t> said;
        Hooks none;
        while (said.size() < kContinuation) {
            said.push_back(best(std::span(m_dense).last(vocabulary)));
            if (said.size() == kContinuation)
                break;
            const auto next = read(m_plan, std::span(said).last(1), LogitRows::Last, store, none);
            m_dense.insert(m_dense.end(), next.begin(), next.end());
        }
        for (std::uint32_t i = 0; i < m_records.size(); ++i)
            compare(prompt, votes.of(m_first + i), said, m_records[i]);
        m_compared += kContinuation;
    }

    FilterLayer result() const
    {
        const auto better = [](const Record& a, const Record& b) {
            return a.equal != b.equal ? a.equal > b.equal : a.divergence < b.divergence;
        };
        const auto winner = std::ranges::min_element(m_records, better);
        return {m_first + static_cast<std::uint32_t>(winner - m_records.begin()),
                static_cast<double>(winner->equal) / static_cast<double>(m_compared)};
    }

private:
    KvStore newStore() const
    {
        return {{m_plan.layers, m_plan.kvHeads, m_plan.headDim}, KvType::F16};
    }

    /// The second run, taught what the dense one said.
    void compare(const Prompt& prompt, std::span<const float> votes,
                 std::span<const std::int32_t> said, Record& record) const
    {
        const auto count = static_cast<std::uint32_t>(prompt.tokens.size());
        const std::uint32_t text = count - prompt.prefix - prompt.turn;
        const auto chosen = filterTokens(votes, {prompt.prefix, count - prompt.turn},
                                         std::max(1U, text / 4), kKernel);
        std::vector<std::int32_t> tokens(prompt.tokens.begin(),
                                         prompt.tokens.begin() + prompt.prefix);
        for (const std::uint32_t each : chosen)
            tokens.push_back(prompt.tokens[each]);
        tokens.insert(tokens.end(), prompt.tokens.end() - prompt.turn, prompt.tokens.end());
        KvStore store = newStore();
        Hooks none;
        auto logits = read(m_plan, tokens, LogitRows::Last, store, none);
        const std::size_t vocabulary = logits.size();
        const auto rest = read(m_plan, said.first(said.size() - 1), LogitRows::All, store, none);
        logits.insert(logits.end(), rest.begin(), rest.end());
        for (std::size_t i = 0; i < said.size(); ++i) {
            const auto own = std::span<const float>(logits).subspan(i * vocabulary, vocabulary);
            const auto dense = std::span<const float>(m_dense).subspan(i * vocabulary, vocabulary);
            record.equal += best(own) == said[i] ? 1 : 0;
            record.divergence += divergence(dense, own);
        }
    }

    const DocumentPlan& m_plan;
    std::uint32_t m_first;
    std::vector<Record> m_records; // of the candidate layers
    std::vector<float> m_dense;    // logits before each token of the continuation
    std::uint64_t m_compared = 0;
};

Prompt promptOf(const DocumentPlan& plan, std::uint32_t piece)
{
    const std::uint32_t length = std::min(kPieceTokens, plan.documentRows());
    const std::uint32_t begin = (plan.documentRows() - length) / kPieces * piece;
    Prompt prompt{plan.prefix, plan.prefixRows(), 0};
    prompt.tokens.insert(prompt.tokens.end(), plan.document.begin() + begin,
                         plan.document.begin() + begin + length);
    const auto turn = plan.turn(kInstruction);
    prompt.tokens.insert(prompt.tokens.end(), turn.begin(), turn.end());
    prompt.turn = static_cast<std::uint32_t>(turn.size());
    return prompt;
}

} // namespace

std::vector<std::string> filterLayerWarnings(const FilterLayer& layer)
{
    if (layer.agreement >= kGoodAgreement)
        return {};
    return {"No layer of this model selects cleanly for GemFilter: from what layer " +
            std::to_string(layer.layer) + " chose, the model says the same in " +
            std::to_string(std::lround(layer.agreement * 100)) +
            " of 100 tokens. Answers may miss what the document says."};
}

FilterLayer chooseFilterLayer(const DocumentPlan& plan)
{
    const std::uint32_t above = plan.layers > 1 ? plan.layers - 1 : 0;
    const std::uint32_t first = std::min((plan.layers + 2) / 4, above);
    const std::uint32_t last = std::clamp((3 * plan.layers + 2) / 4, first, above);
    if (first == last)
        return {first, 1};
    Calibration calibration(plan, first, last);
    for (std::uint32_t piece = 0; piece < kPieces; ++piece)
        calibration.run(promptOf(plan, piece));
    return calibration.result();
}

} // namespace engine
