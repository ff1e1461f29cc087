// The register-level work of score passes; see attention_tile.h for why the interface is plain.
#pragma once

#include "kernels/cpu/attention_tile.h"

namespace kernels::cpu {

/// The keys of one page as float32 panels.
struct ExpandedKeys
{
    const float* numbers = nullptr; // (headDim * kPageRows)
    const float* scales = nullptr;  // (kPageRows), factors of the logits; null when there are none
    std::size_t begin = 0;          // index of the first entry
    std::size_t rows = 0;
};

/// Floats that expandKeysAvx2() writes.
constexpr std::size_t expandedKeyFloats(std::size_t headDim)
{
    return (headDim + 1) * kPageRows;
}

ExpandedKeys expandKeysAvx2(float* out, const KvPageView& page, std::size_t pageBegin,
                            std::size_t headDim);

/// Adds the entries of a page that lie in `part` to the maximum and the sum of every row; state.out
/// stays.
void addToNormaliserAvx2(const SoftmaxState& state, const QueryTile& tile, const ExpandedKeys& keys,
                         const EntryRange& part);

/// What is collected from a logit z of a row with the normaliser n.
enum class ScoreTerm
{
    Logit,  // z, summed
    Weight, // 2^(z - n), summed
    Maximum // the largest z - n
};

/// scores[entry] (kPageRows) += (or max=) the terms of all rows that see the entry, in the order of
/// the rows. `normalisers` (rows): +infinity takes a row out.
void addScoresAvx2(float* scores, const QueryTile& tile, const float* normalisers,
                   const ExpandedKeys& keys, ScoreTerm term);

/// out[row * stride + entry] = the logit, in units of log 2, of every entry of the page that the
/// row sees; -infinity for the other entries of the page, as far as kPageRows.
void writeLogitsAvx2(float* out, std::size_t stride, const QueryTile& tile,
                     const ExpandedKeys& keys);

/// Turns a row of logits in units of log 2 into its softmax; `count` is a multiple of 8. What is no
/// number stays none and does not count.
void softmaxRowAvx2(float* row, std::size_t count);

} // namespace kernels::cpu
