#pragma once

#include "engine/methods/block_plan.h"
#include "engine/methods/selection.h"

#include <array>
#include <string>
#include <vector>

namespace engine {

/// Base of KVzip and its relatives: reads the document, then lets the model repeat its first tokens
/// piece by piece with the whole cache visible (structural.md 6.1). The score of a key is the
/// largest weight that a repeating row gives it, over the heads of its group and the softmax over
/// {prefix, piece, own rows}. A derived class says what becomes of the scores.
class RepeatingMethod : public Method
{
public:
    /// repeatedTokens: how many document tokens are repeated and get scores; none when everything
    /// may stay. The settings `piece` and `overlap` are read when it is not 0. Throws TooLarge when
    /// the model's window has no room for it.
    RepeatingMethod(DocumentPlan plan, std::string name, std::uint32_t repeatedTokens);

    std::optional<Job> nextJob(const KvStore& store) final;
    const kernels::ScoreSpec* passWithAttention(const LayerStep& step) final;
    void onAttention(const LayerStep& step, Scorer& scorer) final;
    std::vector<std::byte> jobState() const final;
    void restoreJobState(const Job& job, std::span<const std::byte> state) final;
    void onJobEnd(const Job& job, KvStore& store) final;
    double totalCost() const final;
    double doneCost() const final { return m_blocks.costUpTo(m_read) + repeatCost(m_scored); }
    std::size_t scoreBytes() const override { return m_scores.capacity() * sizeof(float); }

protected:
    /// Called after a block of the document was read.
    virtual void onBlockRead(KvStore& /*store*/) {}
    /// Called once, when everything is read and scored.
    virtual void finish(KvStore& store) = 0;
    /// May give a score pass factors; they have to live until the next call. piece: store rows.
    virtual void weigh(kernels::ScoreSpec& /*spec*/, const LayerStep& /*step*/,
                       const kernels::EntryRange& /*piece*/)
    {}

    const DocumentPlan& plan() const { return m_plan; }
    bool selects() const { return m_plan.keptPerHead() < m_plan.documentRows(); }
    std::uint32_t rowsRead() const { return m_blocks.rowsHandedOut(); }

    /// The scores of the repeated tokens, natural logarithms, and gives their memory back.
    std::vector<LayerScores> takeScores();

private:
    float& scoreAt(std::uint32_t token, std::uint32_t layer, std::uint32_t head);
    double repeatCost(std::uint32_t rows) const;
    std::vector<std::int32_t> request(std::uint32_t begin) const;
    std::uint32_t pieceLength() const;
    Job repeatJob(const KvStore& store);

    DocumentPlan m_plan;
    std::string m_name;
    BlockPlan m_blocks;
    std::uint32_t m_repeated; // document tokens
    std::uint32_t m_overlap = 0;
    std::uint32_t m_lists;
    std::uint32_t m_piece = 0;
    std::vector<float> m_scores; // (document token, layer, head): natural log of the score
    std::uint32_t m_read = 0;    // rows
    std::uint32_t m_scored = 0;  // document tokens
    std::uint32_t m_begin = 0;   // the piece being repeated
    std::uint32_t m_end = 0;
    std::array<kernels::EntryRange, 3> m_subset{}; // prefix, piece and own rows, in the store
    kernels::ScoreSpec m_pass;
};

/// The settings `piece` and `overlap`.
std::vector<MethodParameter> repeatingParameters();

} // namespace engine
