#include "engine/methods/scorer_method.h"

#include "engine/kv/byte_stream.h"

#include <algorithm>

namespace engine {
namespace {

/// Floating-point sums depend on how they are grouped, so summing methods read blocks of this many
/// rows, whatever is asked for.
constexpr std::uint32_t kSummedBlockRows = 512;

constexpr std::size_t kRowsReadAtOnce = 512; // by a thread

DocumentPlan withBlocksFor(DocumentPlan plan, AttentionScorer::Votes votes)
{
    if (votes == AttentionScorer::Votes::AllRows)
        plan.blockRows = boundedBlockRows(plan, kSummedBlockRows);
    return plan;
}

} // namespace

ScorerMethod::ScorerMethod(DocumentPlan plan, const std::string& name, const Protection& protection,
                           const std::vector<kernels::EntryRange>& jobs)
    : m_competition(std::move(plan), name, protection)
    , m_blocks(jobs.empty() ? BlockPlan(m_competition.plan(), std::max(1U, m_competition.window()),
                                        m_competition.parts())
                            : BlockPlan(m_competition.plan(), jobs))
{}

void ScorerMethod::onJobEnd(const Job& /*job*/, KvStore& store)
{
    m_done = m_blocks.rowsHandedOut();
    if (!selects() || !inLastBlock())
        return;
    std::vector<LayerScores> scores;
    for (std::uint32_t layer = 0; layer < plan().layers; ++layer)
        scores.push_back(scoresOf(store, layer));
    m_competition.decide(store, std::move(scores));
    afterSelection(store);
}

LayerScores CacheScorer::scoresOf(const KvStore& store, std::uint32_t layer)
{
    LayerScores scores{plan().kvHeads, eligibleRows(), {}, {}};
    scores.score.reserve(std::size_t{eligibleRows()} * plan().kvHeads);
    std::vector<float> keys;
    std::vector<float> values;
    for (std::uint32_t head = 0; head < plan().kvHeads; ++head) {
        const KvList& list = store.list(layer, head);
        for (const kernels::EntryRange& part : competition().parts()) {
            m_firstRow = std::max(part.begin, eligible().begin);
            const std::uint32_t end = std::min(part.end, eligible().end);
            if (m_firstRow >= end)
                continue;
            keys.resize(std::size_t{end - m_firstRow} * plan().headDim);
            values.resize(keys.size());
            plan().parallelFor(
                end - m_firstRow, kRowsReadAtOnce, [&](std::size_t first, std::size_t last) {
                    const std::size_t at = first * plan().headDim;
                    const std::size_t size = (last - first) * plan().headDim;
                    const auto row = m_firstRow + static_cast<std::uint32_t>(first);
                    list.readKeys(std::span(keys).subspan(at, size), row, plan().headDim);
                    list.readValues(std::span(values).subspan(at, size), row, plan().headDim);
                });
            const std::vector<float> each = scoresOfHead(layer, head, keys, values);
            scores.score.insert(scores.score.end(), each.begin(), each.end());
        }
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

bool AttentionScorer::votesNow() const
{
    if (!selects() || rowsRead() == 0)
        return false;
    return m_votes == Votes::AllRows || inLastBlock() || partRead().end == rowsRead();
}

/// The part in which the block handed out last ends; the first one has the prefix, too.
kernels::EntryRange AttentionScorer::partRead() const
{
    const auto& parts = competition().parts();
    const auto part = std::ranges::find_if(
        parts, [&](const kernels::EntryRange& each) { return each.end >= rowsRead(); });
    return {part == parts.begin() ? 0 : part->begin, part->end};
}

/// The rows that get weights from the block under way.
kernels::EntryRange AttentionScorer::scoredNow() const
{
    const kernels::EntryRange part = partRead();
    const std::uint32_t begin = std::max(part.begin, eligible().begin);
    const std::uint32_t end =
        inChunks() ? part.end - competition().window() : std::min(rowsRead(), summedEnd());
    return {begin, std::max(begin, end)};
}

void AttentionScorer::onAttention(const LayerStep& step, Scorer& scorer)
{
    if (!votesNow())
        return;
    const kernels::EntryRange part = partRead();
    kernels::ScoreSpec spec;
    spec.scored = scoredNow();
    if (spec.scored.begin == spec.scored.end)
        return;
    spec.normaliser = inChunks() ? kernels::Normaliser::Subset : kernels::Normaliser::Full;
    spec.subset = {&part, 1};
    spec.rows = kernels::RowReduction::Sum;
    spec.heads = m_heads;
    spec.firstRow = m_votes == Votes::AllRows ? 0 : step.rows.size() - m_votingRows;
    addSums(step.layer, spec.scored, scorer.run(spec));
}

void AttentionScorer::addSums(std::uint32_t layer, const kernels::EntryRange& rows,
                              std::span<const float> weights)
{
    std::vector<float>& sums = m_sums[layer];
    sums.resize(std::size_t{summedRows()} * plan().kvHeads);
    const std::size_t count = rows.end - rows.begin;
    for (std::size_t head = 0; head < plan().kvHeads; ++head) {
        float* own = &sums[head * summedRows() + rows.begin - eligible().begin];
        for (std::size_t j = 0; j < count; ++j)
            own[j] += weights[head * count + j];
    }
}

std::vector<float> AttentionScorer::sumsOf(std::uint32_t layer,
                                           const kernels::EntryRange& rows) const
{
    std::vector<float> own;
    if (m_sums[layer].empty())
        return own;
    for (std::size_t head = 0; head < plan().kvHeads; ++head) {
        const auto begin =
            m_sums[layer].begin() +
            static_cast<std::ptrdiff_t>(head * summedRows() + rows.begin - eligible().begin);
        own.insert(own.end(), begin, begin + (rows.end - rows.begin));
    }
    return own;
}

std::vector<std::byte> AttentionScorer::jobState() const
{
    if (!votesNow())
        return {};
    ByteWriter writer;
    for (std::uint32_t layer = 0; layer < plan().layers; ++layer)
        writer.putArray(std::span<const float>(sumsOf(layer, scoredNow())));
    return writer.take();
}

void AttentionScorer::restoreJobState(const Job& /*job*/, std::span<const std::byte> state)
{
    if (!votesNow())
        return;
    ByteReader reader(state, "The saved progress of " + m_name);
    const kernels::EntryRange rows = scoredNow();
    const std::size_t expected = std::size_t{rows.end - rows.begin} * plan().kvHeads;
    for (std::uint32_t layer = 0; layer < plan().layers; ++layer) {
        const auto sums = reader.getArray<float>("scores");
        if (sums.size() != expected)
            reader.fail("scores");
        // What was stored has all earlier sums in it.
        if (!m_sums[layer].empty() && !inChunks())
            std::ranges::fill(m_sums[layer], 0.0F);
        if (expected > 0)
            addSums(layer, rows, sums);
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
