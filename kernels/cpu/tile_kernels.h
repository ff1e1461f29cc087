// The parts of attention and score passes that are made of products, one set for each instruction
// set. All sets give the same bits.
#pragma once

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/score_pass_tile.h"

namespace kernels::cpu {

struct TileKernels
{
    /// One step of the online softmax (FlashAttention, arXiv 2205.14135, algorithm 1) over one
    /// page, whose first entry has the index `pageBegin`. pageScratch: kPageScratchFloats;
    /// `collected` may be null.
    void (*attendPage)(const SoftmaxState& state, const QueryTile& tile, const KvPageView& page,
                       std::size_t pageBegin, float* pageScratch, const CollectedLogits* collected);

    /// Adds the entries of a page that lie in `part` to the maximum and the sum of every row;
    /// state.out stays.
    void (*addToNormaliser)(const SoftmaxState& state, const QueryTile& tile,
                            const ExpandedKeys& keys, const EntryRange& part);

    /// scores[entry] (kPageRows) += (or max=) the terms of all rows that see the entry, in the
    /// order of the rows. `normalisers` (rows): +infinity takes a row out.
    void (*addScores)(float* scores, const QueryTile& tile, const float* normalisers,
                      const ExpandedKeys& keys, ScoreTerm term);

    /// out[row * stride + entry] = the logit, in units of log 2, of every entry of the page that
    /// the row sees; -infinity for the other entries of the page, as far as kPageRows.
    void (*writeLogits)(float* out, std::size_t stride, const QueryTile& tile,
                        const ExpandedKeys& keys);
};

const TileKernels& avx2TileKernels();
const TileKernels& avx512TileKernels(); // only where the build has them

/// The set of the best level of this processor, which has AVX2 at least.
const TileKernels& bestTileKernels();

} // namespace kernels::cpu
