#pragma once

#include "kernels/cpu/kv_page_layout.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernels::cpu {

/// What the numbers of one group are rebuilt from: x = minimum + code * range / (2^bits - 1).
/// Both are exact float16 values.
struct KiviGroupScale
{
    float minimum = 0.0F;
    float range = 0.0F;
};

/// Asymmetric uniform quantisation of one group (KIVI, arXiv 2402.02750, section 3.1):
/// code = clamp(round((x - minimum) / scale), 0, 2^bits - 1) with scale = range / (2^bits - 1),
/// ties to even. The range is kept instead of the scale because it survives float16 when the scale
/// does not: the group
/// {-1, 1} comes back unchanged. A group of equal numbers has range 0 and codes 0.
/// `codes` has the size of `values`.
KiviGroupScale quantiseKiviGroup(std::span<std::uint8_t> codes, std::span<const float> values,
                                 unsigned bits);

/// The number that a code stands for.
float kiviValue(const KiviGroupScale& group, std::uint8_t code, unsigned bits);

/// Packs at most 32 / bits codes into one word, the first into the lowest bits.
std::uint32_t packKiviCodes(std::span<const std::uint8_t> codes, unsigned bits);

/// Encodes one side of a full page from row-major rows (kPageRows, headDim).
void encodeKiviPage(KvType type, PageSide side, std::byte* page, std::span<const float> rows,
                    std::size_t headDim);

/// Reads rows [first, first + out.size() / headDim) of one side of a page, row-major.
void decodeKiviPage(KvType type, PageSide side, std::span<float> out, const std::byte* page,
                    std::size_t headDim, std::size_t first);

} // namespace kernels::cpu
