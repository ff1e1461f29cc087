#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/score_pass_reduce.h"
#include "kernels/cpu/score_pass_tile.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/cpu/tile_kernels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace kernels::cpu {
namespace {

/// Rows of one query head that are multiplied together. Their terms are added in float32, the sums
/// of different chunks in double.
constexpr std::size_t kChunkRows = 96;

/// Pages that one loaded chunk of queries is multiplied with.
constexpr std::size_t kPagesAtOnce = 4;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A score pass with what follows from its parameters.
struct Pass
{
    const ScoreCall& call;
    ScoreRows rows;
    std::size_t group;
    std::size_t chunks;
    float logitFactor; // of the dot products; logits of weights are in units of log 2
    ScoreTerm term;
    std::vector<float> normalisers; // (heads, rows)

    explicit Pass(const ScoreCall& scoreCall);
};

ScoreTerm termOf(const ScoreSpec& spec)
{
    if (isMaxScore(spec))
        return ScoreTerm::Maximum;
    return spec.normaliser == Normaliser::None ? ScoreTerm::Logit : ScoreTerm::Weight;
}

Pass::Pass(const ScoreCall& scoreCall)
    : call(scoreCall)
    , rows(scoreRows(call.spec, call.shape))
    , group(call.shape.heads / call.shape.kvHeads)
    , chunks((rows.count + kChunkRows - 1) / kChunkRows)
    , logitFactor(call.spec.normaliser == Normaliser::None ? call.shape.scale
                                                           : call.shape.scale * kLog2E)
    , term(termOf(call.spec))
    , normalisers(call.shape.heads * rows.count, 0.0F)
{}

/// The queries of one head in a chunk of rows, loaded for the products.
class Chunk
{
public:
    explicit Chunk(const Pass& pass)
        : m_pass(pass)
        , m_packed(std::make_unique_for_overwrite<float[]>(kChunkRows * pass.call.shape.headDim))
    {}

    void load(std::size_t head, std::size_t chunk)
    {
        const AttentionShape& shape = m_pass.call.shape;
        m_firstRow = chunk * kChunkRows;
        m_count = std::min(kChunkRows, m_pass.rows.count - m_firstRow);
        std::array<const float*, kChunkRows> queries{};
        for (std::size_t i = 0; i < m_count; ++i) {
            const std::size_t row = m_pass.rows.first + m_firstRow + i;
            queries[i] = m_pass.call.q.data() + (row * shape.heads + head) * shape.headDim;
            m_ranges[i] = m_pass.call.visible[row * shape.kvHeads + head / m_pass.group];
        }
        packQueriesAvx2(m_packed.get(), queries.data(), m_count, shape.headDim, m_pass.logitFactor);
    }

    std::size_t firstRow() const { return m_firstRow; } // counted from the pass's first
    std::size_t rows() const { return m_count; }
    QueryTile tile() const
    {
        return {.packed = m_packed.get(),
                .ranges = m_ranges.data(),
                .rows = m_count,
                .headDim = m_pass.call.shape.headDim};
    }

private:
    const Pass& m_pass;
    std::unique_ptr<float[]> m_packed; // (kChunkRows, headDim)
    std::array<EntryRange, kChunkRows> m_ranges{};
    std::size_t m_firstRow = 0;
    std::size_t m_count = 0;
};

/// The entries of a list that any of the pass's rows [first, first + count) sees.
EntryRange seenByRows(const Pass& pass, std::size_t kvHead, std::size_t first, std::size_t count)
{
    EntryRange seen{.begin = std::numeric_limits<std::uint32_t>::max(), .end = 0};
    for (std::size_t i = first; i < first + count; ++i) {
        const EntryRange& range =
            pass.call.visible[(pass.rows.first + i) * pass.call.shape.kvHeads + kvHead];
        if (range.begin >= range.end)
            continue;
        seen.begin = std::min(seen.begin, range.begin);
        seen.end = std::max(seen.end, range.end);
    }
    return seen;
}

/// log2 of the sum of the weights of each row of a chunk over the subset.
void normaliseChunk(Pass& pass, const Chunk& chunk, std::size_t head, float* keyMemory)
{
    const std::size_t kvHead = head / pass.group;
    const std::size_t headDim = pass.call.shape.headDim;
    const KvListView& list = pass.call.lists[kvHead];
    std::array<float, kChunkRows> maximum{};
    std::array<float, kChunkRows> sum{};
    maximum.fill(-kInfinity);
    const SoftmaxState state{.maximum = maximum.data(), .sum = sum.data(), .out = nullptr};
    const EntryRange seen = seenByRows(pass, kvHead, chunk.firstRow(), chunk.rows());
    for (const EntryRange& part : pass.call.spec.subset) {
        const std::size_t end = std::min(part.end, seen.end);
        for (std::size_t page = std::max(part.begin, seen.begin) / kPageRows;
             page * kPageRows < end; ++page)
            bestTileKernels().addToNormaliser(
                state, chunk.tile(),
                expandKeysAvx2(keyMemory, list.pages[page], page * kPageRows, headDim), part);
    }
    float* result = pass.normalisers.data() + head * pass.rows.count + chunk.firstRow();
    for (std::size_t i = 0; i < chunk.rows(); ++i)
        result[i] = rowNormaliser(maximum[i], sum[i]);
}

/// The first pass: normalisers over the subset.
void normaliseOverSubset(Pass& pass, ThreadPool& pool)
{
    const std::size_t heads = pass.call.shape.heads;
    const auto work = [&](std::size_t begin, std::size_t end, std::size_t /*thread*/) {
        Chunk chunk(pass);
        const auto keys =
            std::make_unique_for_overwrite<float[]>(expandedKeyFloats(pass.call.shape.headDim));
        for (std::size_t item = begin; item < end; ++item) {
            chunk.load(item % heads, item / heads);
            normaliseChunk(pass, chunk, item % heads, keys.get());
        }
    };
    pool.parallelFor(heads * pass.chunks, 4, work);
}

void takeGivenNormalisers(Pass& pass)
{
    const std::size_t heads = pass.call.shape.heads;
    for (std::size_t head = 0; head < heads; ++head)
        for (std::size_t i = 0; i < pass.rows.count; ++i) {
            const float lse = pass.call.lse[(pass.rows.first + i) * heads + head];
            pass.normalisers[head * pass.rows.count + i] =
                lse == -kInfinity ? kInfinity : lse * kLog2E;
        }
}

/// A row's factor is one power of two more or less in what its weights are divided by.
void applyRowWeights(Pass& pass)
{
    for (std::size_t i = 0; i < pass.normalisers.size(); ++i)
        pass.normalisers[i] = withRowWeight(pass.normalisers[i], pass.call.spec,
                                            pass.rows.first + i % pass.rows.count);
}

/// Up to kPagesAtOnce pages of one list, with the scores of each query head that reads it.
class PageScorer
{
public:
    PageScorer(const Pass& pass, std::size_t kvHead, std::size_t firstPage)
        : m_pass(pass)
        , m_kvHead(kvHead)
        , m_scores(pass.group * kPagesAtOnce * kPageRows,
                   pass.term == ScoreTerm::Maximum ? -static_cast<double>(kInfinity) : 0.0)
        , m_firstPage(firstPage)
    {
        const std::size_t headDim = pass.call.shape.headDim;
        const KvListView& list = pass.call.lists[kvHead];
        const std::size_t scoredPages = (pass.call.spec.scored.end + kPageRows - 1) / kPageRows;
        const std::size_t endPage =
            std::min({firstPage + kPagesAtOnce, scoredPages, list.pages.size()});
        m_pages = endPage - std::min(firstPage, endPage);
        m_memory =
            std::make_unique_for_overwrite<float[]>(kPagesAtOnce * expandedKeyFloats(headDim));
        // Pages that no row sees are left alone: they may have no keys.
        const EntryRange seen = seenByRows(pass, kvHead, 0, pass.rows.count);
        for (std::size_t page = 0; page < m_pages; ++page) {
            const std::size_t begin = (firstPage + page) * kPageRows;
            if (seen.begin >= begin + kPageRows || seen.end <= begin)
                continue;
            m_keys[page] = expandKeysAvx2(m_memory.get() + page * expandedKeyFloats(headDim),
                                          list.pages[firstPage + page], begin, headDim);
            m_isSeen[page] = true;
        }
    }

    void addRows();
    void writeScores() const;

private:
    bool isSeen(std::size_t chunk) const;
    void addChunk(const Chunk& chunk, std::size_t member);

    const Pass& m_pass;
    std::size_t m_kvHead;
    std::vector<double> m_scores; // (group, kPagesAtOnce, kPageRows)
    std::unique_ptr<float[]> m_memory;
    std::array<ExpandedKeys, kPagesAtOnce> m_keys;
    std::array<bool, kPagesAtOnce> m_isSeen{};
    std::size_t m_pages = 0;
    std::size_t m_firstPage;
};

bool PageScorer::isSeen(std::size_t chunk) const
{
    const std::size_t first = chunk * kChunkRows;
    const EntryRange seen =
        seenByRows(m_pass, m_kvHead, first, std::min(kChunkRows, m_pass.rows.count - first));
    return seen.begin < (m_firstPage + m_pages) * kPageRows && seen.end > m_firstPage * kPageRows;
}

void PageScorer::addChunk(const Chunk& chunk, std::size_t member)
{
    const std::size_t head = m_kvHead * m_pass.group + member;
    const float* normalisers =
        m_pass.normalisers.data() + head * m_pass.rows.count + chunk.firstRow();
    const bool isMaximum = m_pass.term == ScoreTerm::Maximum;
    for (std::size_t page = 0; page < m_pages; ++page) {
        if (!m_isSeen[page])
            continue;
        std::array<float, kPageRows> scores{};
        scores.fill(isMaximum ? -kInfinity : 0.0F);
        bestTileKernels().addScores(scores.data(), chunk.tile(), normalisers, m_keys[page],
                                    m_pass.term);
        double* totals = m_scores.data() + (member * kPagesAtOnce + page) * kPageRows;
        for (std::size_t entry = 0; entry < kPageRows; ++entry) {
            const auto score = static_cast<double>(scores[entry]);
            totals[entry] = isMaximum ? std::max(totals[entry], score) : totals[entry] + score;
        }
    }
}

void PageScorer::addRows()
{
    Chunk chunk(m_pass);
    for (std::size_t index = 0; index < m_pass.chunks; ++index) {
        if (!isSeen(index))
            continue;
        for (std::size_t member = 0; member < m_pass.group; ++member) {
            chunk.load(m_kvHead * m_pass.group + member, index);
            addChunk(chunk, member);
        }
    }
}

void PageScorer::writeScores() const
{
    const ScoreSpec& spec = m_pass.call.spec;
    const std::size_t entries = spec.scored.end - spec.scored.begin;
    const std::size_t begin = std::max<std::size_t>(spec.scored.begin, m_firstPage * kPageRows);
    const std::size_t end =
        std::min<std::size_t>(spec.scored.end, (m_firstPage + kPagesAtOnce) * kPageRows);
    const double unit = isLogScore(spec) ? std::log(2.0) : 1.0;
    std::vector<double> members(m_pass.group);
    for (std::size_t entry = begin; entry < end; ++entry) {
        const std::size_t place = entry - m_firstPage * kPageRows;
        for (std::size_t member = 0; member < m_pass.group; ++member)
            members[member] =
                withColumnWeight(unit * m_scores[member * kPagesAtOnce * kPageRows + place], spec,
                                 m_kvHead * m_pass.group + member, entry - spec.scored.begin);
        m_pass.call.scores[m_kvHead * entries + entry - spec.scored.begin] =
            static_cast<float>(reduceHeads(members, spec, m_pass.rows.count));
    }
}

} // namespace

void scorePassTiled(const ScoreCall& call, ThreadPool& pool)
{
    if (call.scores.empty())
        return;
    Pass pass(call);
    if (call.spec.normaliser == Normaliser::Subset)
        normaliseOverSubset(pass, pool);
    else if (call.spec.normaliser == Normaliser::Full)
        takeGivenNormalisers(pass);
    applyRowWeights(pass);
    const std::size_t firstPage = call.spec.scored.begin / kPageRows;
    const std::size_t endPage = (call.spec.scored.end + kPageRows - 1) / kPageRows;
    const std::size_t pieces = (endPage - firstPage + kPagesAtOnce - 1) / kPagesAtOnce;
    pool.parallelFor(pieces * call.shape.kvHeads, 1,
                     [&](std::size_t begin, std::size_t end, std::size_t /*thread*/) {
                         for (std::size_t item = begin; item < end; ++item) {
                             PageScorer scorer(pass, item % call.shape.kvHeads,
                                               firstPage +
                                                   item / call.shape.kvHeads * kPagesAtOnce);
                             scorer.addRows();
                             scorer.writeScores();
                         }
                     });
}

} // namespace kernels::cpu
