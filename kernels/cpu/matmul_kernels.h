#pragma once

// What matmul() is made of: tiles of the product, one set of functions per instruction set.

#include "kernels/cpu/cpu_features.h"
#include "kernels/matmul.h"

#include <cstddef>
#include <cstdint>

namespace kernels::cpu {

/// Columns that share one scale, in weights and in rounded activations.
constexpr std::size_t kBlockColumns = 32;

/// Tokens whose rounded activations lie interleaved, so that one register of weights meets them in
/// turn.
constexpr std::size_t kGroupTokens = 6;

/// Up to this many tokens the weights are streamed through once per token; above, they are unpacked
/// once per tile of tokens.
constexpr std::size_t kStreamedTokens = 3;

/// Float products are summed over pieces of this many columns, and the pieces one after another.
/// Every kernel of a level keeps this order, so a token's result does not depend on its company.
constexpr std::size_t kFloatChunk = 512;
constexpr std::size_t kFloatLanes = 8;

/// The part of the product that one call computes. `rows` and `tokens` are at least 1.
struct Tile
{
    std::size_t firstRow = 0;
    std::size_t rows = 0;
    std::size_t firstToken = 0;
    std::size_t tokens = 0;
};

/// Largest tile of the unpacking kernels; tiles start at multiples of these.
constexpr std::size_t kTileRows = 64;
constexpr std::size_t kTileTokens = 96;
static_assert(kTileTokens % kGroupTokens == 0);

/// Activations rounded to 8 bits: value = scale * quant.
struct RoundedActivations
{
    std::int8_t* quants = nullptr;    // (tokens, cols)
    float* scales = nullptr;          // (tokens, blocks)
    std::int32_t* sums = nullptr;     // (tokens, blocks), sum of a block's quants
    std::byte* interleaved = nullptr; // groups of tokens, in the layout of the level; may be null
};

/// Whole operands of one product. `out` is (tokens, rows), `in` is (tokens, cols).
struct Product
{
    float* out = nullptr;
    const float* in = nullptr;
    RoundedActivations rounded; // only for the 8-bit path
    WeightView weights;
    std::size_t tokens = 0;
};

/// The functions of one level. `scratch` is kTileScratchBytes of memory, aligned to 64 bytes.
struct MatmulKernels
{
    /// Rounds the activations of one token.
    void (*roundToken)(const Product& product, std::size_t token);
    /// Bytes of one group of tokens in RoundedActivations::interleaved; 0 when the level needs
    /// none.
    std::size_t (*groupBytes)(WeightType type, std::size_t cols);
    /// Fills one group from the rounded activations of its tokens.
    void (*interleaveGroup)(const Product& product, std::size_t group);
    /// 8-bit products: weights streamed (few tokens), or unpacked (many).
    void (*streamInt8)(const Product& product, const Tile& tile);
    void (*tileInt8)(const Product& product, const Tile& tile, std::byte* scratch);
    /// float32 products; streamFloat only for F32, F16 and BF16 and columns in multiples of
    /// kFloatLanes.
    void (*streamFloat)(const Product& product, const Tile& tile);
    void (*tileFloat)(const Product& product, const Tile& tile, std::byte* scratch);
};

/// Enough for the unpacked weights and the sums of one tile at any level.
constexpr std::size_t kTileScratchBytes = std::size_t{96} * 1024;

const MatmulKernels& scalarMatmulKernels();
const MatmulKernels& avx2MatmulKernels();   // only where the build has them
const MatmulKernels& avx512MatmulKernels(); // also

/// matmul() with a chosen level, which must be one that the processor can run.
void matmulWith(KernelLevel level, std::span<float> out, std::span<const float> in,
                const WeightView& weights, std::size_t tokens, Activations activations,
                MatmulScratch& scratch, ThreadPool& pool);

} // namespace kernels::cpu
