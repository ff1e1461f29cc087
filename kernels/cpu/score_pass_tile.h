// The register-level work of score passes; see attention_tile.h for why the interface is plain.
#pragma once

#include "kernels/cpu/attention_tile.h"

namespace kernels::cpu {

/// The keys of one page as float32 panels.
struct ExpandedKeys
{
    const float* numbers = nullptr; // (headDim * kPageRows)
    const float* scales = nullptr;  // (kPageRows), factors of the logits; null when there are none
    std::size_t begin = 0;          // index of the first entry
    std::size_t rows = 0;
};

/// Floats that expandKeysAvx2() writes.
constexpr std::size_t expandedKeyFloats(std::size_t headDim)
{
    return (headDim + 1) * kPageRows;
}

ExpandedKeys expandKeysAvx2(float* out, const KvPageView& page, std::size_t pageBegin,
                            std::size_t headDim);

/// What is collected from a logit z of a row with the normaliser n.
enum class ScoreTerm
{
    Logit,  // z, summed
    Weight, // 2^(z - n), summed
    Maximum // the largest z - n
};

/// Turns a row of logits in units of log 2 into its softmax; `count` is a multiple of 8. What is no
/// number stays none and does not count.
void softmaxRowAvx2(float* row, std::size_t count);

} // namespace kernels::cpu
