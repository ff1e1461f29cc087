#pragma once

#include "kernels/sparse_attention.h"

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// Attention weights of the last rows of a piece for one query head. Row r stands at the entry
/// firstEntry() + r and sees the entries up to itself.
struct LastRows
{
    std::span<const float> weights; // (rows, kernels::weightStride(entries))
    std::size_t rows = 0;
    std::size_t entries = 0;

    std::size_t firstEntry() const { return entries - rows; }
    std::size_t stride() const { return kernels::weightStride(entries); }
    float at(std::size_t row, std::size_t entry) const { return weights[row * stride() + entry]; }
};

/// The weights summed along columns (one entry for all rows) and along slashes (one distance
/// between row and entry), selection.md 3.9, 2b. A weight that is no number makes its sums none.
struct PatternSums
{
    std::vector<float> columns; // (entries)
    std::vector<float> slashes; // (entries)
};
PatternSums patternSums(const LastRows& last);

/// Columns and distances that every row reads, both ascending.
struct VerticalSlash
{
    std::vector<std::uint32_t> columns;
    std::vector<std::uint32_t> slashes;
};

/// The `vertical` heaviest columns and the `slash` heaviest distances, of which the first
/// `forcedColumns` and `forcedSlashes` are certain. Sums that are no numbers count as the least.
VerticalSlash chooseVerticalSlash(const PatternSums& sums, std::size_t vertical, std::size_t slash,
                                  std::size_t forcedColumns, std::size_t forcedSlashes);

/// Shares of the weights of the last rows (NaN left out) that a pattern covers exactly, without
/// the entries that pages add.
double recallOf(const LastRows& last, const VerticalSlash& pattern);
/// The same of the first `initial` entries and the last `local` ones.
double recallOfShape(const LastRows& last, std::size_t initial, std::size_t local);
/// The same of pages of each tile of rows; `firstRow` is the row of the piece that the first of the
/// last rows is.
double recallOfPages(const LastRows& last, std::size_t firstRow,
                     std::span<const std::vector<std::uint32_t>> pages);

/// Where the rows of a piece stand: row r at the entry begin + r; it sees the entries up to itself.
struct PieceRows
{
    std::size_t begin = 0;
    std::size_t rows = 0;

    std::size_t entries() const { return begin + rows; }
    std::size_t tiles() const { return (rows + kernels::kPatternRows - 1) / kernels::kPatternRows; }
    /// Entries at which the rows of a tile stand.
    kernels::EntryRange tile(std::size_t index) const;
};

/// The pattern in the units of the kernel: whole pages around every slash and wherever at least
/// half of a page's entries are columns, the other columns one by one. It covers every (row, entry)
/// that the columns and slashes say, and more.
kernels::SparsePattern tilePattern(const VerticalSlash& pattern, const PieceRows& piece);

/// A-shape (StreamingLLM's): the first `initial` entries and, for each row, the last `local`.
kernels::SparsePattern shapePattern(std::size_t initial, std::size_t local, const PieceRows& piece);

/// Block-sparse, selection.md 3.9, 2c: for each tile of rows the `count` pages with the largest
/// product of mean query and mean key, among them those that the rows stand in and page 0.
///   queryMeans (tiles, headDim), keyMeans (pages, headDim)
kernels::SparsePattern blockPattern(std::span<const float> queryMeans,
                                    std::span<const float> keyMeans, std::size_t headDim,
                                    std::size_t count, const PieceRows& piece);

} // namespace engine
