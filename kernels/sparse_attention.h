#pragma once

#include "kernels/attention.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kernels {

/// Query rows that share one list of pages in a SparsePattern.
constexpr std::size_t kPatternRows = 64;

/// What the rows of one query head read of their list: some pages whole, and single entries
/// ("columns") beside them. An entry that is in both is read once.
struct SparsePattern
{
    /// For rows [t * kPatternRows, (t + 1) * kPatternRows) the indices of pages, ascending.
    std::vector<std::vector<std::uint32_t>> pages;
    /// Entries that all rows read, ascending.
    std::vector<std::uint32_t> columns;
};

/// Floats from one row of attentionWeights() to the next: the length in whole pages.
constexpr std::size_t weightStride(std::size_t entries)
{
    return (entries + kPageRows - 1) / kPageRows * kPageRows;
}

namespace cpu {

/// attention() over a part of what the rows see (selection.md 2, P10): `patterns` (heads) says
/// which. Where a pattern has all pages, the result has the bits of attention(). A row of which
/// nothing is left gets out = 0 and lse = -infinity. `lse` is that of the part.
void sparseAttention(std::span<float> out, std::span<float> lse, std::span<const float> q,
                     std::span<const KvListView> lists, std::span<const EntryRange> visible,
                     std::span<const SparsePattern> patterns, const AttentionShape& shape,
                     ThreadPool& pool);

/// Attention weights of the rows [firstRow, shape.rows) of one query head, for few rows.
///   weights (rows - firstRow, weightStride(length of the head's list)): softmax over what the row
///           sees, 0 for the rest
/// A logit that is no number leaves NaN in its place and is left out of the row's softmax.
void attentionWeights(std::span<float> weights, std::span<const float> q,
                      std::span<const KvListView> lists, std::span<const EntryRange> visible,
                      std::size_t head, std::size_t firstRow, const AttentionShape& shape,
                      ThreadPool& pool);

} // namespace cpu
} // namespace kernels
