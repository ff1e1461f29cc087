// The logits of one block of rows against a page as numbers, for the passes that keep them.
#pragma once

#include "kernels/cpu/attention_block.h"
#include "kernels/cpu/score_pass_tile.h"

namespace kernels::cpu {
namespace {

/// Logits of a block against a page: the vectors [firstVector, lastVector) of each row are written.
struct BlockLogits
{
    alignas(32) float z[kBlockRows * kPageRows];
    std::size_t firstVector = 0;
    std::size_t lastVector = 0;
};

template <int Rows>
inline void computeLogits(BlockLogits& logits, const QueryTile& tile, std::size_t firstRow,
                          const ExpandedKeys& keys, const BlockView& view)
{
    constexpr std::size_t kPanels = kPanelsAtOnce<Rows>;
    constexpr std::size_t kStep = kPanels * kPanelWidth;
    multiplyQueries<Rows>(logits.z, tile.packed + firstRow * tile.headDim,
                          F32Matrix{keys.numbers, tile.headDim}, view.from / kStep * kPanels,
                          (view.to + kStep - 1) / kStep * kPanels);
    logits.firstVector = view.from / kPanelWidth * 2;
    logits.lastVector = (view.to + kPanelWidth - 1) / kPanelWidth * 2;
}

/// Applies the scales and hides what the rows do not see.
template <int Rows>
inline void finishLogits(BlockLogits& logits, const ExpandedKeys& keys, const BlockView& view,
                         float hidden)
{
    for (int row = 0; row < Rows; ++row) {
        float* z = logits.z + static_cast<std::size_t>(row) * kPageRows;
        if (keys.scales != nullptr)
            scaleRow(z, keys.scales, logits.firstVector, logits.lastVector);
        if (view.begin[row] > logits.firstVector * 8 || view.end[row] < logits.lastVector * 8)
            maskRow(z, view.begin[row], view.end[row], logits.firstVector, logits.lastVector,
                    hidden);
    }
}

} // namespace
} // namespace kernels::cpu
