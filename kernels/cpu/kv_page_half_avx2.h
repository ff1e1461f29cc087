#pragma once

// float16 pages read and written with the processor's own conversions: the same bits as with
// kv_page_half.h but for the payload of NaN. Only where the build has AVX2 kernels.

#include "kernels/cpu/kv_page_layout.h"

#include <cstddef>
#include <span>

namespace kernels::cpu {

/// rows: (n, headDim), which become the rows [first, first + n) of a page. Of keys they fill whole
/// panels: first and n are multiples of kPanelWidth.
void encodeHalvesAvx2(PageSide side, std::byte* page, std::span<const float> rows,
                      std::size_t headDim, std::size_t first);
void decodeHalvesAvx2(PageSide side, std::span<float> rows, const std::byte* page,
                      std::size_t headDim, std::size_t first);

} // namespace kernels::cpu
