#pragma once

#include "kernels/formats/weight_type.h"

#include <cstddef>
#include <span>
#include <vector>

namespace kernels {

/// A weight matrix as it lies in a model file: `rows` outputs of `cols` inputs, row-major blocks.
struct WeightView
{
    const std::byte* data = nullptr;
    WeightType type = WeightType::F32;
    std::size_t rows = 0;
    std::size_t cols = 0;
};

namespace cpu {

class ThreadPool;

/// Reusable memory of matmul(): activations rounded to 8 bits, converted weight tiles.
struct MatmulScratch
{
    std::vector<std::byte> bytes;
};

/// How the activations enter the product with quantised weights.
enum class Activations
{
    Int8, // rounded to 8 bits per block of 32: the fast path
    F32   // exact: dequantised weights times float32, for tests and small models
};

/// out[t, r] = sum_c in[t, c] * weights[r, c].   out (tokens, rows), in (tokens, cols), float32.
/// F32, F16 and BF16 weights always multiply float32 activations.
/// The result does not depend on the number of threads, and a row of `out` does not depend on how
/// many other tokens are in the call.
void matmul(std::span<float> out, std::span<const float> in, const WeightView& weights,
            std::size_t tokens, Activations activations, MatmulScratch& scratch, ThreadPool& pool);

/// out = elements [first, first + out.size()) of row `row`, as float32.
void dequantiseRow(std::span<float> out, const WeightView& weights, std::size_t row);

} // namespace cpu
} // namespace kernels
