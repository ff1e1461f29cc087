// One tile of query rows against one list: what attention alone and attention with scores share.
#pragma once

#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/attention_tile.h"
#include "kernels/cpu/tile_kernels.h"

#include <memory>
#include <vector>

namespace kernels::cpu {

constexpr std::size_t kSplitEntries = kSplitPages * kPageRows;

/// How the rows of a call are cut into tiles.
struct TilePlan
{
    std::size_t group = 1;     // query heads of one KV head
    std::size_t positions = 1; // query rows of one tile
    std::size_t tiles = 0;     // of one KV head

    std::size_t rows() const { return group * positions; }
};

TilePlan planTiles(const AttentionShape& shape);

/// One tile and the splits of its entries that are worked off together.
struct TileItem
{
    std::size_t kvHead = 0;
    std::size_t tile = 0;
    std::size_t firstSplit = 0;
    std::size_t endSplit = 0;
};

/// All tiles, the later ones first: they see more entries, and the last pieces should be small.
std::vector<TileItem> listTiles(const AttentionCall& call, const TilePlan& plan);

/// The work of one thread: loads a tile, then attends to splits of it.
class TileWorker
{
public:
    /// Both outlive the worker.
    TileWorker(const AttentionCall& call, const TilePlan& plan);

    void load(std::size_t kvHead, std::size_t tile);
    std::size_t rows() const { return m_rows; }
    std::size_t firstPosition() const { return m_firstPosition; }
    std::size_t kvHead() const { return m_kvHead; }

    /// Attends to one split alone. With `collected` the logits go there, too.
    void attendSplit(const SoftmaxState& state, std::size_t split,
                     const CollectedLogits* collected = nullptr);

    /// Attends to the splits [first, end), folds them in order and writes the results.
    void attendAll(std::size_t first, std::size_t end, const CollectedLogits* collected = nullptr);

    void writeResults(const SoftmaxState& total) const;
    SoftmaxState totalState() { return stateAt(m_states.get(), m_rows); }

private:
    const AttentionCall& m_call;
    const TilePlan& m_plan;
    const TileKernels& m_kernels = bestTileKernels();
    std::unique_ptr<float[]> m_packed; // (rows, headDim)
    std::unique_ptr<float[]> m_states; // the total and one split
    std::unique_ptr<float[]> m_page;
    std::vector<EntryRange> m_ranges;
    std::vector<const float*> m_queries;
    std::size_t m_kvHead = 0;
    std::size_t m_firstPosition = 0;
    std::size_t m_rows = 0;
    EntryRange m_seen; // by any row
};

} // namespace kernels::cpu
