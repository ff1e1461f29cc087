#include "kernels/matmul.h"

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/matmul_kernels.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/formats/quantise.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

namespace kernels::cpu {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t bytes)
{
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t ceilDivide(std::size_t value, std::size_t divisor)
{
    return (value + divisor - 1) / divisor;
}

const MatmulKernels& kernelsOf(KernelLevel level)
{
#if defined(EPITOME_AVX2_KERNELS)
    if (level >= KernelLevel::Avx512)
        return avx512MatmulKernels();
    if (level >= KernelLevel::Avx2)
        return avx2MatmulKernels();
#else
    static_cast<void>(level);
#endif
    return scalarMatmulKernels();
}

bool isQuantised(WeightType type)
{
    return blockShape(type).elements > 1;
}

void requireShapes(std::span<float> out, std::span<const float> in, const WeightView& weights,
                   std::size_t tokens)
{
    if (out.size() != tokens * weights.rows || in.size() != tokens * weights.cols)
        throw std::invalid_argument("matmul: the operands do not fit the weight matrix");
    if (weights.cols % blockShape(weights.type).elements != 0)
        throw std::invalid_argument("matmul: a weight row is not a whole number of blocks");
}

/// Hands out consecutive aligned parts of one buffer.
class Carver
{
public:
    explicit Carver(std::byte* begin)
        : m_next(begin)
    {}

    template <typename T>
    T* take(std::size_t count)
    {
        T* part = reinterpret_cast<T*>(m_next);
        m_next += aligned(count * sizeof(T));
        return part;
    }

private:
    std::byte* m_next;
};

/// Bytes of every part that one product takes from the scratch memory.
struct ScratchPlan
{
    std::size_t rounded = 0;     // 8-bit activations, 0 on the float path
    std::size_t interleaved = 0; // their groups
    std::size_t tiles = 0;       // one tile per thread
};

ScratchPlan planScratch(const MatmulKernels& kernels, const Product& product, bool int8,
                        std::size_t threads)
{
    const std::size_t cols = product.weights.cols;
    const std::size_t blocks = cols / kBlockColumns;
    ScratchPlan plan;
    if (int8) {
        plan.rounded =
            aligned(product.tokens * cols) + 2 * aligned(product.tokens * blocks * sizeof(float));
        if (product.tokens > kStreamedTokens)
            plan.interleaved = aligned(ceilDivide(product.tokens, kGroupTokens) *
                                       kernels.groupBytes(product.weights.type, cols));
    }
    plan.tiles = threads * kTileScratchBytes;
    return plan;
}

/// Places the parts in the scratch memory and gives the address of the first thread's tile.
std::byte* carve(Product& product, const ScratchPlan& plan, MatmulScratch& scratch)
{
    const std::size_t total = plan.rounded + plan.interleaved + plan.tiles + kAlignment;
    if (scratch.bytes.size() < total)
        scratch.bytes.resize(total);
    const auto address = reinterpret_cast<std::uintptr_t>(scratch.bytes.data());
    Carver carver(scratch.bytes.data() + (aligned(address) - address));
    if (plan.rounded != 0) {
        const std::size_t blocks = product.weights.cols / kBlockColumns;
        product.rounded.quants = carver.take<std::int8_t>(product.tokens * product.weights.cols);
        product.rounded.scales = carver.take<float>(product.tokens * blocks);
        product.rounded.sums = carver.take<std::int32_t>(product.tokens * blocks);
        if (plan.interleaved != 0)
            product.rounded.interleaved = carver.take<std::byte>(plan.interleaved);
    }
    return carver.take<std::byte>(plan.tiles);
}

void roundActivations(const MatmulKernels& kernels, const Product& product, ThreadPool& pool)
{
    const std::size_t groups = ceilDivide(product.tokens, kGroupTokens);
    pool.parallelFor(groups, 1, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t group = begin; group < end; ++group) {
            const std::size_t last = std::min((group + 1) * kGroupTokens, product.tokens);
            for (std::size_t token = group * kGroupTokens; token < last; ++token)
                kernels.roundToken(product, token);
            if (product.rounded.interleaved != nullptr)
                kernels.interleaveGroup(product, group);
        }
    });
}

/// Few tokens: every thread streams its share of the weight rows.
void streamWeights(const MatmulKernels& kernels, const Product& product, bool int8,
                   ThreadPool& pool)
{
    // Long stretches of memory are read faster; several pieces per thread even out their speeds.
    constexpr std::size_t kPiecesPerThread = 4;
    constexpr std::size_t kRows = 32;
    const auto stream = int8 ? kernels.streamInt8 : kernels.streamFloat;
    const std::size_t rows = product.weights.rows;
    const std::size_t strips = ceilDivide(rows, kRows);
    pool.parallelFor(strips, ceilDivide(strips, kPiecesPerThread * pool.threads()),
                     [&](std::size_t begin, std::size_t end, std::size_t) {
                         const std::size_t first = begin * kRows;
                         stream(product, {.firstRow = first,
                                          .rows = std::min(end * kRows, rows) - first,
                                          .firstToken = 0,
                                          .tokens = product.tokens});
                     });
}

/// Many tokens: tiles, each of which unpacks its weights once.
void computeTiles(const MatmulKernels& kernels, const Product& product, bool int8,
                  std::byte* scratch, ThreadPool& pool)
{
    const auto compute = int8 ? kernels.tileInt8 : kernels.tileFloat;
    const std::size_t rowTiles = ceilDivide(product.weights.rows, kTileRows);
    const std::size_t tokenTiles = ceilDivide(product.tokens, kTileTokens);
    pool.parallelFor(rowTiles * tokenTiles, 1,
                     [&](std::size_t begin, std::size_t end, std::size_t thread) {
                         for (std::size_t i = begin; i < end; ++i) {
                             Tile tile;
                             tile.firstRow = i / tokenTiles * kTileRows;
                             tile.rows = std::min(kTileRows, product.weights.rows - tile.firstRow);
                             tile.firstToken = i % tokenTiles * kTileTokens;
                             tile.tokens = std::min(kTileTokens, product.tokens - tile.firstToken);
                             compute(product, tile, scratch + thread * kTileScratchBytes);
                         }
                     });
}

} // namespace

void matmulWith(KernelLevel level, std::span<float> out, std::span<const float> in,
                const WeightView& weights, std::size_t tokens, Activations activations,
                MatmulScratch& scratch, ThreadPool& pool)
{
    requireShapes(out, in, weights, tokens);
    if (out.empty())
        return;
    if (weights.cols == 0) {
        std::ranges::fill(out, 0.0F);
        return;
    }
    const MatmulKernels& kernels = kernelsOf(level);
    const bool quantised = isQuantised(weights.type);
    const bool int8 = quantised && activations == Activations::Int8;
    Product product{
        .out = out.data(), .in = in.data(), .rounded = {}, .weights = weights, .tokens = tokens};
    const ScratchPlan plan = planScratch(kernels, product, int8, pool.threads());
    std::byte* tiles = carve(product, plan, scratch);

    if (int8)
        roundActivations(kernels, product, pool);
    const bool streamable = int8 || (!quantised && weights.cols % kFloatLanes == 0);
    if (tokens <= kStreamedTokens && streamable)
        streamWeights(kernels, product, int8, pool);
    else
        computeTiles(kernels, product, int8, tiles, pool);
}

void matmul(std::span<float> out, std::span<const float> in, const WeightView& weights,
            std::size_t tokens, Activations activations, MatmulScratch& scratch, ThreadPool& pool)
{
    matmulWith(bestKernelLevel(), out, in, weights, tokens, activations, scratch, pool);
}

void dequantiseRow(std::span<float> out, const WeightView& weights, std::size_t row)
{
    if (row >= weights.rows || out.size() > weights.cols)
        throw std::invalid_argument("dequantiseRow: the row is not inside the weight matrix");
    const std::byte* begin = weights.data + row * rowBytes(weights.type, weights.cols);
    dequantiseBlocks(out, {begin, rowBytes(weights.type, out.size())}, weights.type);
}

} // namespace kernels::cpu
