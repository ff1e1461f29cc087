#include "engine/methods/scorer_method.h"

#include "engine/kv/byte_stream.h"

#include <algorithm>

namespace engine {
namespace {

/// Floating-point sums depend on how they are grouped, so summing methods read blocks of this many
/// rows.
constexpr std::uint32_t kSummedBlockRows = 512;

DocumentPlan withBlocksFor(DocumentPlan plan, AttentionScorer::Votes votes)
{
    if (votes == AttentionScorer::Votes::AllRows)
        plan.blockRows = kSummedBlockRows;
    return plan;
}

} // namespace

ScorerMethod::ScorerMethod(DocumentPlan plan, const std::string& name, const Protection& protection)
    : m_plan(std::move(plan))
    , m_sinks(std::clamp(protection.sinks, m_plan.prefixRows(), m_plan.totalRows()))
    , m_window(std::min(protection.window, m_plan.totalRows() - m_sinks))
    , m_blocks(m_plan, std::max(1U, m_window))
{
    if (selects() && protectedRows() > 0 && m_plan.keptPerHead() <= protectedRows()) {
        throw Error(ErrorCode::BadInput,
                    "The method " + name + " always keeps " +
                        std::to_string(m_sinks - m_plan.prefixRows()) +
                        " tokens at the beginning and " + std::to_string(m_window) +
                        " at the end, but only " + std::to_string(m_plan.keptPerHead()) +
                        " may stay. Raise keep, or lower the settings sinks or window.");
    }
}

void ScorerMethod::onJobEnd(const Job& /*job*/, KvStore& store)
{
    m_done = m_blocks.rowsHandedOut();
    if (!selects() || !inLastBlock())
        return;
    std::vector<LayerScores> scores;
    for (std::uint32_t layer = 0; layer < m_plan.layers; ++layer)
        scores.push_back(scoresOf(store, layer));
    const std::uint32_t places = m_plan.keptPerHead() - protectedRows();
    applySelection(store, m_plan, eligible(), allocate(m_plan, scores, places, protectedRows()));
}

LayerScores CacheScorer::scoresOf(const KvStore& store, std::uint32_t layer)
{
    LayerScores scores{plan().kvHeads, eligibleRows(), {}, {}};
    std::vector<float> keys(std::size_t{eligibleRows()} * plan().headDim);
    std::vector<float> values(keys.size());
    for (std::uint32_t head = 0; head < plan().kvHeads; ++head) {
        const KvList& list = store.list(layer, head);
        list.readKeys(keys, eligible().begin, plan().headDim);
        list.readValues(values, eligible().begin, plan().headDim);
        const std::vector<float> each = scoresOfHead(layer, head, keys, values);
        scores.score.insert(scores.score.end(), each.begin(), each.end());
    }
    return scores;
}

AttentionScorer::AttentionScorer(const DocumentPlan& plan, const std::string& name,
                                 const Protection& protection, Votes votes,
                                 kernels::HeadReduction heads)
    : ScorerMethod(withBlocksFor(plan, votes), name, protection)
    , m_name(name)
    , m_votingRows(votes == Votes::LastRow ? 1 : plan.totalRows() - eligible().end)
    , m_votes(votes)
    , m_heads(heads)
    , m_sums(plan.layers)
{}

void AttentionScorer::onAttention(const LayerStep& step, Scorer& scorer)
{
    if (!votesNow())
        return;
    const auto rows = static_cast<std::uint32_t>(step.rows.size());
    const std::uint32_t read = step.rows.back() + 1;
    kernels::ScoreSpec spec;
    spec.scored = {eligible().begin, std::clamp(read, eligible().begin, eligible().end)};
    spec.normaliser = kernels::Normaliser::Full;
    spec.rows = kernels::RowReduction::Sum;
    spec.heads = m_heads;
    spec.firstRow = m_votes == Votes::AllRows ? 0 : rows - m_votingRows;
    const std::uint32_t scored = spec.scored.end - spec.scored.begin;
    if (scored == 0)
        return;
    const std::vector<float> weights = scorer.run(spec);
    std::vector<float>& sums = m_sums[step.layer];
    sums.resize(std::size_t{eligibleRows()} * plan().kvHeads);
    for (std::uint32_t head = 0; head < plan().kvHeads; ++head) {
        for (std::uint32_t j = 0; j < scored; ++j)
            sums[std::size_t{head} * eligibleRows() + j] += weights[std::size_t{head} * scored + j];
    }
}

std::vector<std::byte> AttentionScorer::jobState() const
{
    if (!votesNow())
        return {};
    ByteWriter writer;
    for (const auto& layer : m_sums)
        writer.putArray(std::span<const float>(layer));
    return writer.take();
}

void AttentionScorer::restoreJobState(const Job& /*job*/, std::span<const std::byte> state)
{
    if (!votesNow())
        return;
    ByteReader reader(state, "The saved progress of " + m_name);
    const std::size_t expected =
        rowsRead() > eligible().begin ? std::size_t{eligibleRows()} * plan().kvHeads : 0;
    for (auto& layer : m_sums) {
        layer = reader.getArray<float>("scores");
        if (layer.size() != expected)
            reader.fail("scores");
    }
    reader.expectEnd();
}

std::size_t AttentionScorer::scoreBytes() const
{
    std::size_t total = 0;
    for (const auto& layer : m_sums)
        total += layer.capacity() * sizeof(float);
    return total;
}

} // namespace engine
