// Attention of a tile of rows to one page.
#pragma once

#include "kernels/cpu/attention_block.h"
#include "kernels/cpu/attention_panels.h"
#include "kernels/cpu/attention_tile.h"

#include <type_traits>

namespace kernels::cpu {
namespace {

/// out = out * correction + weights * values over the entries [from, to).
template <int Rows, class Matrix>
inline void addValues(float* out, std::size_t headDim, const float* weights,
                      const float* correction, const Matrix& values, const BlockView& view)
{
    constexpr int kPanels = kPanelsAtOnce<Rows>;
    for (std::size_t panel = 0; panel < headDim / kPanelWidth; panel += kPanels) {
        Sums<Rows, kPanels> sums;
        for (std::size_t row = 0; row < Rows; ++row)
            for (std::size_t i = 0; i < kPanels; ++i)
                sums.columns[row][i] = multiply(
                    correction + row, loadColumns(out + row * headDim + (panel + i) * kPanelWidth));
        addProducts<Rows, kPanels, kPageRows, 1>(
            sums, weights, readers<kPanels>(values, panel).panels, view.from, view.to);
        for (std::size_t row = 0; row < Rows; ++row)
            for (std::size_t i = 0; i < kPanels; ++i)
                storeColumns(out + row * headDim + (panel + i) * kPanelWidth, sums.columns[row][i]);
    }
}

/// The whole panels of a page that a block sees, in vectors.
inline std::size_t firstVector(const BlockView& view)
{
    return view.from / kPanelWidth * 2;
}

inline std::size_t endVector(const BlockView& view)
{
    return (view.to + kPanelWidth - 1) / kPanelWidth * 2;
}

inline void copyVectors(float* out, const float* in, std::size_t first, std::size_t end)
{
    for (std::size_t vector = first; vector < end; ++vector)
        _mm256_storeu_ps(out + 8 * vector, _mm256_loadu_ps(in + 8 * vector));
}

/// The same step as attention's over the part of the page that is in the subset. Attention's own
/// logits stay as they are.
template <int Rows>
void addToSubset(const CollectedLogits& to, const float* logits, const QueryTile& tile,
                 std::size_t firstRow, const EntryRange& part, std::size_t pageBegin,
                 std::size_t pageRows, const float* keyScales)
{
    EntryRange ranges[Rows];
    for (std::size_t row = 0; row < Rows; ++row)
        ranges[row] = {larger(tile.ranges[firstRow + row].begin, part.begin),
                       smaller(tile.ranges[firstRow + row].end, part.end)};
    const BlockView view = viewBlock<Rows>(ranges, pageBegin, pageRows);
    if (view.from >= view.to)
        return;
    alignas(32) float copy[Rows * kPageRows];
    alignas(32) float correction[8];
    for (std::size_t row = 0; row < Rows; ++row)
        copyVectors(copy + row * kPageRows, logits + row * kPageRows, firstVector(view),
                    endVector(view));
    updateSoftmax<Rows>(copy, to.maximum + firstRow, to.sum + firstRow, correction, view,
                        {keyScales, nullptr});
}

/// Writes down the logits of the entries that a block sees.
template <int Rows>
void storeLogits(const CollectedLogits& to, const float* logits, std::size_t firstRow,
                 const BlockView& view, std::size_t pageBegin, const float* keyScales)
{
    const std::size_t first = firstVector(view);
    const std::size_t end = endVector(view);
    for (std::size_t row = 0; row < Rows; ++row) {
        float* out = to.logits + (firstRow + row) * to.stride + pageBegin - to.firstEntry;
        copyVectors(out, logits + row * kPageRows, first, end);
        if (keyScales != nullptr)
            scaleRow(out, keyScales, first, end);
        if (view.begin[row] > first * 8 || view.end[row] < end * 8)
            maskRow(out, view.begin[row], view.end[row], first, end);
    }
}

template <int Rows>
void collectBlock(const CollectedLogits& to, const float* logits, const QueryTile& tile,
                  std::size_t firstRow, const BlockView& view, std::size_t pageBegin,
                  std::size_t pageRows, const float* keyScales)
{
    for (std::size_t i = 0; i < to.subsetParts; ++i) {
        if (to.subset[i].begin < pageBegin + pageRows && to.subset[i].end > pageBegin)
            addToSubset<Rows>(to, logits, tile, firstRow, to.subset[i], pageBegin, pageRows,
                              keyScales);
    }
    if (pageBegin >= to.firstEntry && pageBegin < to.firstEntry + to.stride)
        storeLogits<Rows>(to, logits, firstRow, view, pageBegin, keyScales);
}

/// A page as the products read it.
template <class Matrix>
struct PageReaders
{
    Matrix keys;
    Matrix values;
    RowScales scales;
    std::size_t begin = 0;
    std::size_t rows = 0;
    const CollectedLogits* collected = nullptr;
};

template <int Rows, class Matrix>
void attendBlock(const SoftmaxState& state, const QueryTile& tile, std::size_t firstRow,
                 const PageReaders<Matrix>& page)
{
    const BlockView view = viewBlock<Rows>(tile.ranges + firstRow, page.begin, page.rows);
    if (view.from >= view.to)
        return;
    alignas(32) float logits[Rows * kPageRows];
    alignas(32) float correction[8];
    constexpr std::size_t kPanels = kPanelsAtOnce<Rows>;
    constexpr std::size_t kStep = kPanels * kPanelWidth;
    multiplyQueries<Rows>(logits, tile.packed + firstRow * tile.headDim, page.keys,
                          view.from / kStep * kPanels, (view.to + kStep - 1) / kStep * kPanels);
    if (page.collected != nullptr)
        collectBlock<Rows>(*page.collected, logits, tile, firstRow, view, page.begin, page.rows,
                           page.scales.keys);
    updateSoftmax<Rows>(logits, state.maximum + firstRow, state.sum + firstRow, correction, view,
                        page.scales);
    addValues<Rows>(state.out + firstRow * tile.headDim, tile.headDim, logits, correction,
                    page.values, view);
}

template <class Matrix>
void attendBlocks(const SoftmaxState& state, const QueryTile& tile, const PageReaders<Matrix>& page)
{
    forEachBlock(tile.rows,
                 [&]<int Rows>(std::size_t first) { attendBlock<Rows>(state, tile, first, page); });
}

/// One block reads the page as it lies; several share its conversion. Both compute the same bits.
template <class Matrix>
void attendMatrices(const SoftmaxState& state, const QueryTile& tile,
                    const PageReaders<Matrix>& page, float* scratch)
{
    if (blockCount(tile.rows) == 1) {
        attendBlocks(state, tile, page);
        return;
    }
    float* values = scratch + kPageRows * kMaxHeadDim;
    attendBlocks(state, tile,
                 PageReaders<F32Matrix>{
                     expandMatrix(page.keys, panelShape(PageSide::Keys, tile.headDim), scratch),
                     expandMatrix(page.values, panelShape(PageSide::Values, tile.headDim), values),
                     page.scales, page.begin, page.rows, page.collected});
}

inline void attendPage(const SoftmaxState& state, const QueryTile& tile, const KvPageView& page,
                       std::size_t pageBegin, float* pageScratch, const CollectedLogits* collected)
{
    const std::size_t depth = tile.headDim;
    float* keyScratch = pageScratch + 2 * kPageRows * kMaxHeadDim;
    float* valueScratch = keyScratch + 4 * kMaxHeadDim;
    const PanelShape keyShape = panelShape(PageSide::Keys, depth);
    const PanelShape valueShape = panelShape(PageSide::Values, depth);
    const auto attend = [&](const auto& keys, const auto& values, const RowScales& scales) {
        using Matrix = std::remove_cvref_t<decltype(keys)>;
        attendMatrices(state, tile,
                       PageReaders<Matrix>{keys, values, scales, pageBegin, page.rows, collected},
                       pageScratch);
    };
    switch (page.type) {
    case KvType::F32:
        attendBlocks(
            state, tile,
            PageReaders<F32Matrix>{{reinterpret_cast<const float*>(page.keys), depth},
                                   {reinterpret_cast<const float*>(page.values), kPageRows},
                                   {},
                                   pageBegin,
                                   page.rows,
                                   collected});
        break;
    case KvType::F16:
        attend(F16Matrix{page.keys, depth}, F16Matrix{page.values, kPageRows}, {});
        break;
    case KvType::Int8:
        expandScales(keyScratch, page.keys);
        expandScales(valueScratch, page.values);
        attend(Int8Matrix{page.keys + kInt8CodesOffset, depth},
               Int8Matrix{page.values + kInt8CodesOffset, kPageRows}, {keyScratch, valueScratch});
        break;
    case KvType::Kivi4:
        attend(kiviMatrix<4>(page.keys, keyShape, keyScratch),
               kiviMatrix<4>(page.values, valueShape, valueScratch), {});
        break;
    case KvType::Kivi2:
        attend(kiviMatrix<2>(page.keys, keyShape, keyScratch),
               kiviMatrix<2>(page.values, valueShape, valueScratch), {});
        break;
    }
}

} // namespace
} // namespace kernels::cpu
