#pragma once

#include "kernels/kv_page.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernels {

/// Half-open range of entry indices inside one list.
struct EntryRange
{
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
};

/// The entries of one (layer, KV head) list, oldest first. All pages but the last are full.
struct KvListView
{
    std::span<const KvPageView> pages;
    std::uint32_t length = 0;
};

struct AttentionShape
{
    std::size_t rows = 0;    // query rows
    std::size_t heads = 0;   // query heads H
    std::size_t kvHeads = 0; // Hk; query head h reads list h / (H / Hk)
    std::size_t headDim = 0; // multiple of 32
    float scale = 1.0F;      // usually 1 / sqrt(headDim)
};

/// Reduction of one score pass over the query rows, and over the query heads of a group.
enum class RowReduction
{
    Last,
    Sum,
    Mean,
    Max
};
enum class HeadReduction
{
    Max,
    Mean,
    Sum
};

/// What the weights of a score pass are divided by.
enum class Normaliser
{
    None,   // the raw scaled logit is the score
    Subset, // softmax over `subset` (and only over it)
    Full    // softmax over everything the row sees; `lse` is given
};

/// One generic score pass: score[kvHead][j] for j in `scored`, from the rows [firstRow,
/// shape.rows).
struct ScoreSpec
{
    EntryRange scored;
    std::span<const EntryRange> subset; // ascending, disjoint; used with Normaliser::Subset
    Normaliser normaliser = Normaliser::Full;
    RowReduction rows = RowReduction::Sum;
    HeadReduction heads = HeadReduction::Mean;
    std::size_t firstRow = 0;
    /// Factors of the weights, only with a softmax normaliser; empty means 1. Of a row:
    /// (shape.rows), 0 takes it out. Of an entry for a query head: (shape.heads, scored).
    std::span<const float> rowWeights = {};
    std::span<const float> columnWeights = {};
};

namespace cpu {

class ThreadPool;

/// Causal attention of `shape.rows` query rows over ragged lists, in tiles with an online softmax
/// (FlashAttention, arXiv 2205.14135); no rows-by-entries matrix is ever held.
///   out    (rows, heads, headDim)
///   lse    (rows, heads) natural-log log-sum-exp of the scaled logits; may be empty when not
///   wanted q      (rows, heads, headDim), after RoPE lists  kvHeads of them visible(rows,
///   kvHeads): row r reads entries [begin, end) of list u. Both ends grow with r.
/// A row that sees nothing gets out = 0 and lse = -infinity.
/// The result does not depend on the number of threads.
void attention(std::span<float> out, std::span<float> lse, std::span<const float> q,
               std::span<const KvListView> lists, std::span<const EntryRange> visible,
               const AttentionShape& shape, ThreadPool& pool);

/// Merges a second partial attention result into the first (structural.md 1.1):
/// disjoint key sets A (in out, lse) and B. Both (rows * heads) vectors of headDim and their LSE.
void mergeAttention(std::span<float> out, std::span<float> lse, std::span<const float> otherOut,
                    std::span<const float> otherLse, std::size_t headDim);

/// One generic score pass (structural.md 1.2), two passes when the normaliser is Subset.
///   scores (kvHeads, scored.end - scored.begin), overwritten. With RowReduction::Max and a softmax
///          normaliser the natural log of the weight is written (monotone, no underflow).
///   lse    (rows, heads) from attention(); read only with Normaliser::Full
/// `visible` limits every row as in attention(), causally or not; an entry that no row sees gets 0
/// (or -infinity for Max). An entry of which a row makes NaN gets NaN; Max ignores such rows.
void scorePass(std::span<float> scores, std::span<const float> q, std::span<const KvListView> lists,
               std::span<const EntryRange> visible, std::span<const float> lse,
               const ScoreSpec& spec, const AttentionShape& shape, ThreadPool& pool);

/// attention() and then scorePass() over the same entries, bit for bit. A pass with
/// RowReduction::Max and Normaliser::Subset takes its logits from the attention's product and costs
/// little beside it; Normaliser::Full takes the attention's `lse`, which then has to be wanted.
void attentionWithScores(std::span<float> out, std::span<float> lse, std::span<float> scores,
                         std::span<const float> q, std::span<const KvListView> lists,
                         std::span<const EntryRange> visible, const ScoreSpec& spec,
                         const AttentionShape& shape, ThreadPool& pool);

} // namespace cpu
} // namespace kernels
