// The register-level work on one tile of query rows, behind a plain interface: the sources behind
// it are compiled for AVX2 or AVX-512, so nothing that other sources share (containers, spans) may
// be instantiated there.
#pragma once

#include "kernels/attention.h"
#include "kernels/cpu/kv_page_layout.h"

#include <cstddef>

namespace kernels::cpu {

/// Query rows that one register-blocked product handles at most.
constexpr std::size_t kBlockRows = 6;

/// Pages after which the partial softmax of a row is folded into its total. The cut lies at
/// multiples of this many pages for every row, however the work is divided: that makes results
/// independent of it.
constexpr std::size_t kSplitPages = 8;

constexpr float kLog2E = 1.44269504088896341F;
constexpr float kLn2 = 0.69314718055994531F;

/// The running softmax of the rows of a tile. Logits are in units of log 2.
struct SoftmaxState
{
    float* maximum = nullptr; // (rows), -infinity while a row has seen nothing
    float* sum = nullptr;     // (rows), of 2^(logit - maximum)
    float* out = nullptr;     // (rows, headDim), weighted sum of the values, not yet divided
};

/// Floats of one state.
constexpr std::size_t stateFloats(std::size_t rows, std::size_t headDim)
{
    return rows * (headDim + 2);
}

/// Cuts a state out of memory of stateFloats().
constexpr SoftmaxState stateAt(float* memory, std::size_t rows)
{
    return {.maximum = memory, .sum = memory + rows, .out = memory + 2 * rows};
}

/// Memory for the expansion of one page.
constexpr std::size_t kPageScratchFloats = 2 * kPageRows * kMaxHeadDim + 8 * kMaxHeadDim;

/// Query rows that read the same list. Row = position * group + member of the group.
struct QueryTile
{
    const float* packed = nullptr;      // packQueries()
    const EntryRange* ranges = nullptr; // (rows)
    std::size_t rows = 0;
    std::size_t headDim = 0;
};

/// Rows of block `block`: a tile is cut into as few blocks of at most kBlockRows as evenly as
/// possible.
constexpr std::size_t blockCount(std::size_t rows)
{
    return (rows + kBlockRows - 1) / kBlockRows;
}
constexpr std::size_t blockBegin(std::size_t rows, std::size_t block)
{
    return rows * block / blockCount(rows);
}

/// Copies the queries so that the rows of a block lie beside each other for each channel, times
/// `factor`. Row r starts at rows[r].
void packQueriesAvx2(float* packed, const float* const* rows, std::size_t count,
                     std::size_t headDim, float factor);

/// Empties a state.
void clearStateAvx2(const SoftmaxState& state, std::size_t rows, std::size_t headDim);

/// What a score pass takes from the logits that attention computes anyway: the softmax over a
/// subset of the entries, and the logits of the scored ones.
struct CollectedLogits
{
    float* maximum = nullptr; // (rows) and (rows): the softmax over the subset, as in SoftmaxState
    float* sum = nullptr;
    const EntryRange* subset = nullptr; // ascending, disjoint
    std::size_t subsetParts = 0;
    float* logits = nullptr;    // (rows, stride), in units of log 2; what no row sees is left alone
    std::size_t firstEntry = 0; // of `logits`, the first of a page
    std::size_t stride = 0;     // whole pages
};

/// best[entry] = max(best[entry], logits[entry] - normaliser) for `count` entries, a multiple of 8;
/// a difference that is no number leaves `best` alone.
void takeMaximaAvx2(float* best, const float* logits, float normaliser, std::size_t count);

/// Adds the entries of `part` to `total`.
void foldStateAvx2(const SoftmaxState& total, const SoftmaxState& part, std::size_t rows,
                   std::size_t headDim);

} // namespace kernels::cpu
