// Attention that leaves a score pass behind: while a tile of rows attends, the logits of the scored
// entries are written down and the softmax over the pass's subset is formed beside the one over
// everything. When the tile is done its rows' normalisers are known, and what was written down
// becomes scores without a second product of queries and keys.

#include "kernels/cpu/attention_tile_worker.h"
#include "kernels/cpu/score_pass_reduce.h"
#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kernels::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

constexpr std::size_t kVector = 8; // floats that are handled together

/// Memory that one thread may take for the logits of a tile.
constexpr std::size_t kMaxCollectedFloats = std::size_t{4} << 20U;

/// The scored entries in whole pages.
struct ScoredPages
{
    std::size_t first = 0; // entry
    std::size_t count = 0; // entries

    explicit ScoredPages(const EntryRange& scored)
        : first(scored.begin / kPageRows * kPageRows)
        , count((scored.end + kPageRows - 1) / kPageRows * kPageRows - first)
    {}
};

/// The tiles of one thread and the largest weights that it met.
class ScoringWorker
{
public:
    ScoringWorker(const AttentionCall& attention, const ScoreCall& score, const TilePlan& plan)
        : m_score(score)
        , m_plan(plan)
        , m_rows(scoreRows(score.spec, score.shape))
        , m_pages(score.spec.scored)
        , m_tile(attention, plan)
        , m_maximum(plan.rows())
        , m_sum(plan.rows())
        , m_logits(plan.rows() * m_pages.count)
        , m_best(score.shape.heads * m_pages.count, -kInfinity)
    {}

    void run(const TileItem& item)
    {
        std::ranges::fill(m_maximum, -kInfinity);
        std::ranges::fill(m_sum, 0.0F);
        const CollectedLogits collected{.maximum = m_maximum.data(),
                                        .sum = m_sum.data(),
                                        .subset = m_score.spec.subset.data(),
                                        .subsetParts = m_score.spec.subset.size(),
                                        .logits = m_logits.data(),
                                        .firstEntry = m_pages.first,
                                        .stride = m_pages.count};
        m_tile.load(item.kvHead, item.tile);
        m_tile.attendAll(item.firstSplit, item.endSplit, &collected);
        takeMaxima();
    }

    /// (heads, entries of the scored pages), in units of log 2.
    const std::vector<float>& best() const { return m_best; }

private:
    void takeMaxima()
    {
        for (std::size_t row = 0; row < m_tile.rows(); ++row) {
            const std::size_t position = m_tile.firstPosition() + row / m_plan.group;
            if (position < m_rows.first)
                continue;
            const std::size_t head = m_tile.kvHead() * m_plan.group + row % m_plan.group;
            const float normaliser =
                withRowWeight(rowNormaliser(m_maximum[row], m_sum[row]), m_score.spec, position);
            const EntryRange seen = seenVectors(position);
            if (seen.begin < seen.end)
                takeMaximaAvx2(&m_best[head * m_pages.count + seen.begin],
                               &m_logits[row * m_pages.count + seen.begin], normaliser,
                               seen.end - seen.begin);
        }
    }

    /// The collected logits that a row's tile has written, in whole vectors of them.
    EntryRange seenVectors(std::size_t position) const
    {
        const EntryRange& seen =
            m_score.visible[position * m_score.shape.kvHeads + m_tile.kvHead()];
        const std::size_t begin = std::max<std::size_t>(seen.begin, m_pages.first);
        const std::size_t end = std::min<std::size_t>(seen.end, m_pages.first + m_pages.count);
        if (begin >= end)
            return {};
        return {.begin = static_cast<std::uint32_t>((begin - m_pages.first) / kVector * kVector),
                .end = static_cast<std::uint32_t>((end - m_pages.first + kVector - 1) / kVector *
                                                  kVector)};
    }

    const ScoreCall& m_score;
    const TilePlan& m_plan;
    ScoreRows m_rows;
    ScoredPages m_pages;
    TileWorker m_tile;
    std::vector<float> m_maximum; // (rows), of the subset
    std::vector<float> m_sum;
    std::vector<float> m_logits; // (rows, entries of the scored pages)
    std::vector<float> m_best;
};

/// A maximum is the same in whatever order the threads met its rows.
void writeScores(const ScoreCall& call, const std::vector<std::unique_ptr<ScoringWorker>>& workers)
{
    const ScoreSpec& spec = call.spec;
    const ScoredPages pages(spec.scored);
    const std::size_t group = call.shape.heads / call.shape.kvHeads;
    const std::size_t entries = spec.scored.end - spec.scored.begin;
    const double unit = std::log(2.0);
    std::vector<double> members(group);
    for (std::size_t i = 0; i < call.shape.kvHeads * entries; ++i) {
        const std::size_t entry = i % entries;
        for (std::size_t member = 0; member < group; ++member) {
            const std::size_t head = i / entries * group + member;
            const std::size_t place = head * pages.count + spec.scored.begin - pages.first + entry;
            float best = -kInfinity;
            for (const auto& worker : workers)
                best = worker ? std::max(best, worker->best()[place]) : best;
            members[member] = withColumnWeight(unit * static_cast<double>(best), spec, head, entry);
        }
        call.scores[i] =
            static_cast<float>(reduceHeads(members, spec, scoreRows(spec, call.shape).count));
    }
}

} // namespace

bool canScoreWhileAttending(const ScoreSpec& spec, const AttentionShape& shape)
{
    return spec.normaliser == Normaliser::Subset && spec.rows == RowReduction::Max &&
           spec.scored.begin < spec.scored.end &&
           planTiles(shape).rows() * ScoredPages(spec.scored).count <= kMaxCollectedFloats;
}

void attentionScoredTiled(const AttentionCall& attention, const ScoreCall& score, ThreadPool& pool)
{
    const TilePlan plan = planTiles(attention.shape);
    const std::vector<TileItem> items = listTiles(attention, plan);
    std::vector<std::unique_ptr<ScoringWorker>> workers(pool.threads());
    pool.parallelFor(items.size(), 1, [&](std::size_t begin, std::size_t end, std::size_t thread) {
        if (!workers[thread])
            workers[thread] = std::make_unique<ScoringWorker>(attention, score, plan);
        for (std::size_t i = begin; i < end; ++i)
            workers[thread]->run(items[i]);
    });
    writeScores(score, workers);
}

} // namespace kernels::cpu
