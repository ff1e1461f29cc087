// How the bytes of a page lie, for the code that writes pages and the kernels that read them.
//
// The keys of a page are kept transposed: the dot products of a query with 16 keys then run down
// one contiguous panel. Values need no transposition. Both are a matrix of `depth` x `width`
// numbers, cut into panels of 16 columns that follow one another; inside a panel the 16 columns of
// one depth are neighbours. What a product sums over is the depth: the channels for keys, the rows
// for values.
//
//   F32, F16  the numbers
//   Int8      a float16 scale for each of the 64 rows, then the codes
//   Kivi4/2   float16 ranges, then float16 minima, (width / 32, depth) each, then the codes: 32-bit
//   words
//             with the first column in the lowest bits, one word for 8 columns (Kivi4) or 16
//             (Kivi2)
#pragma once

#include "kernels/kv_page.h"

#include <cstddef>
#include <cstdint>

namespace kernels::cpu {

constexpr std::size_t kPanelWidth = 16;
constexpr std::size_t kMaxHeadDim = 256;

/// Which half of a page.
enum class PageSide
{
    Keys,
    Values
};

struct PanelShape
{
    std::size_t depth = 0;
    std::size_t width = 0;
};

constexpr PanelShape panelShape(PageSide side, std::size_t headDim)
{
    return side == PageSide::Keys ? PanelShape{headDim, kPageRows} : PanelShape{kPageRows, headDim};
}

/// Position of one number in its panel matrix.
constexpr std::size_t panelIndex(const PanelShape& shape, std::size_t depth, std::size_t column)
{
    return (column / kPanelWidth * shape.depth + depth) * kPanelWidth + column % kPanelWidth;
}

constexpr std::size_t kInt8CodesOffset = kPageRows * sizeof(std::uint16_t);

constexpr unsigned kiviBits(KvType type)
{
    return type == KvType::Kivi4 ? 4 : 2;
}

/// Groups of one page side; each has a float16 range and a float16 minimum.
constexpr std::size_t kiviGroups(const PanelShape& shape)
{
    return shape.width / kKiviGroup * shape.depth;
}

constexpr std::size_t kiviCodesOffset(const PanelShape& shape)
{
    return kiviGroups(shape) * 2 * sizeof(std::uint16_t);
}

} // namespace kernels::cpu
