#pragma once

#include "kernels/formats/weight_type.h"

#include <cstddef>
#include <span>

namespace kernels {

/// Bytes of one row of `cols` weights. `cols` is a multiple of blockShape(type).elements.
constexpr std::size_t rowBytes(WeightType type, std::size_t cols)
{
    const BlockShape block = blockShape(type);
    return cols / block.elements * block.bytes;
}

/// Stores a row of finite floats in a weight format, each block rounded to its nearest codes.
/// out.size() must be rowBytes(type, in.size()); throws std::invalid_argument otherwise.
void quantiseRow(std::span<std::byte> out, std::span<const float> in, WeightType type);

/// The inverse: out.size() elements from the start of `row`. out.size() is a multiple of the
/// block's elements and row.size() is rowBytes(type, out.size()); throws std::invalid_argument
/// otherwise.
void dequantiseBlocks(std::span<float> out, std::span<const std::byte> row, WeightType type);

} // namespace kernels
