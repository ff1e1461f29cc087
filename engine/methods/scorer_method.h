#pragma once

#include "engine/methods/block_plan.h"
#include "engine/methods/competition.h"

#include <string>
#include <vector>

namespace engine {

/// Base of the methods that read the whole document, give each (layer, KV head, token) a score and
/// keep the best. A derived class says what the score is; blocks, protection, budget, allocator,
/// positions and progress are here.
class ScorerMethod : public Method
{
public:
    using Protection = engine::Protection;

    /// jobs: rows that are read together, in place of the plan's blocks. Throws BadInput when the
    /// budget has no place beside the protected rows.
    ScorerMethod(DocumentPlan plan, const std::string& name, const Protection& protection,
                 const std::vector<kernels::EntryRange>& jobs = {});

    std::optional<Job> nextJob(const KvStore& /*store*/) final { return m_blocks.next(); }
    void onJobEnd(const Job& job, KvStore& store) final;
    double totalCost() const final { return m_blocks.costUpTo(plan().totalRows()); }
    double doneCost() const final { return m_blocks.costUpTo(m_done); }
    std::vector<std::string> warnings() const final { return m_competition.warnings(); }

protected:
    /// Scores of the eligible rows of a layer. Called once everything is read; the store still
    /// holds every row.
    virtual LayerScores scoresOf(const KvStore& store, std::uint32_t layer) = 0;
    /// Called when what was not chosen has been dropped.
    virtual void afterSelection(const KvStore& /*store*/) {}

    const DocumentPlan& plan() const { return m_competition.plan(); }
    /// False when everything fits: then nothing is scored.
    bool selects() const { return m_competition.selects(); }
    /// True from the moment the last block was handed out.
    bool inLastBlock() const { return m_blocks.finished(); }
    /// Rows up to the end of the block handed out last.
    std::uint32_t rowsRead() const { return m_blocks.rowsHandedOut(); }
    /// The rows that are scored; those of them that stay anyway are ignored.
    kernels::EntryRange eligible() const { return m_competition.eligible(); }
    std::uint32_t eligibleRows() const { return eligible().end - eligible().begin; }
    const Competition& competition() const { return m_competition; }

private:
    Competition m_competition;
    BlockPlan m_blocks;
    std::uint32_t m_done = 0;
};

/// Base of the scorers that need only the stored keys and values: nothing is remembered between
/// jobs.
class CacheScorer : public ScorerMethod
{
public:
    using ScorerMethod::ScorerMethod;

protected:
    /// Scores of one head. keys, values: (rows, headDim) float32 copies of the eligible entries.
    virtual std::vector<float> scoresOfHead(std::uint32_t layer, std::uint32_t head,
                                            std::span<const float> keys,
                                            std::span<const float> values) = 0;
    /// The row of the first of these entries: with ChunkPress every chunk is scored on its own.
    std::uint32_t firstRow() const { return m_firstRow; }

private:
    LayerScores scoresOf(const KvStore& store, std::uint32_t layer) final;

    std::uint32_t m_firstRow = 0;
};

/// Base of the scorers that add up attention weights over rows, each row's softmax being over all
/// it sees; with ChunkPress, over what it sees of its chunk.
class AttentionScorer : public ScorerMethod
{
public:
    /// Which rows vote, and what becomes of the query heads of a group.
    enum class Votes
    {
        LastRow,
        Window, // the protected last rows, of the document or of each chunk
        AllRows // every row; the blocks then have a size of their own, since a sum depends on its
                // order
    };
    AttentionScorer(const DocumentPlan& plan, const std::string& name, const Protection& protection,
                    Votes votes, kernels::HeadReduction heads);

    bool needsLse(const LayerStep& /*step*/) const final { return votesNow() && !inChunks(); }
    void onAttention(const LayerStep& step, Scorer& scorer) final;
    /// The sums so far, or those of the chunk just read. With AllRows every block stores them,
    /// which at most doubles what it stores.
    std::vector<std::byte> jobState() const final;
    void restoreJobState(const Job& job, std::span<const std::byte> state) final;
    std::size_t scoreBytes() const final;

protected:
    /// (kvHeads, eligibleRows()) sums of a layer.
    std::vector<float> sums(std::uint32_t layer) const { return sumsOf(layer, eligible()); }
    /// The sum of one row at or behind the first eligible one. Rows of the window have one with
    /// AllRows only.
    float sumOf(std::uint32_t layer, std::uint32_t head, std::uint32_t row) const
    {
        return m_sums[layer][std::size_t{head} * summedRows() + row - eligible().begin];
    }

private:
    bool inChunks() const { return competition().parts().size() > 1; }
    /// Where the rows that get sums end.
    std::uint32_t summedEnd() const
    {
        return m_votes == Votes::AllRows && !inChunks() ? plan().totalRows() : eligible().end;
    }
    std::uint32_t summedRows() const { return summedEnd() - eligible().begin; }
    bool votesNow() const;
    kernels::EntryRange partRead() const;
    kernels::EntryRange scoredNow() const;
    std::vector<float> sumsOf(std::uint32_t layer, const kernels::EntryRange& rows) const;
    void addSums(std::uint32_t layer, const kernels::EntryRange& rows,
                 std::span<const float> weights);

    std::string m_name;
    std::uint32_t m_votingRows; // unless all vote
    Votes m_votes;
    kernels::HeadReduction m_heads;
    std::vector<std::vector<float>> m_sums; // [layer], of the layers that voted
};

} // namespace engine
