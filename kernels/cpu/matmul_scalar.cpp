// The reference kernels: plain C++ for every processor, in the order in which a reader would write
// them.

#include "kernels/cpu/matmul_kernels.h"
#include "kernels/formats/q4_0.h"
#include "kernels/formats/q8_0.h"
#include "kernels/formats/quantise.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace kernels::cpu {
namespace {

/// The largest magnitude of a block; not a number if one of the values is not.
float largestMagnitude(const float* in)
{
    std::uint32_t largest = 0; // magnitudes compare as integers, and NaN is above infinity
    for (std::size_t i = 0; i < kBlockColumns; ++i)
        largest = std::max(largest, std::bit_cast<std::uint32_t>(in[i]) & 0x7FFFFFFFU);
    return std::bit_cast<float>(largest);
}

/// Nearest integer, ties to even, of |value| < 2^22.
std::int8_t roundToInt8(float value)
{
    constexpr float kShift = 0x1.8p23F; // the sum has no bits behind the point
    return static_cast<std::int8_t>((value + kShift) - kShift);
}

void roundToken(const Product& product, std::size_t token)
{
    const std::size_t cols = product.weights.cols;
    const std::size_t blocks = cols / kBlockColumns;
    for (std::size_t block = 0; block < blocks; ++block) {
        const float* in = product.in + token * cols + block * kBlockColumns;
        std::int8_t* quants = product.rounded.quants + token * cols + block * kBlockColumns;
        const float largest = largestMagnitude(in);
        const bool finite = largest <= std::numeric_limits<float>::max();
        // What is not finite must stay visible in the result, hence its scale.
        const float scale = finite ? largest / 127.0F : std::numeric_limits<float>::quiet_NaN();
        const float inverse =
            finite && scale >= std::numeric_limits<float>::min() ? 1.0F / scale : 0.0F;
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < kBlockColumns; ++i) {
            const float scaled = finite ? in[i] * inverse : 0.0F;
            quants[i] = roundToInt8(std::clamp(scaled, -127.0F, 127.0F));
            sum += quants[i];
        }
        product.rounded.scales[token * blocks + block] = scale;
        product.rounded.sums[token * blocks + block] = sum;
    }
}

std::size_t groupBytes(WeightType, std::size_t)
{
    return 0;
}

void interleaveGroup(const Product&, std::size_t) {}

/// Exact integer sum of one block's products, and the scale of its weights.
struct BlockProduct
{
    std::int32_t sum = 0;
    float weightScale = 0.0F;
};

BlockProduct multiplyBlock(WeightType type, const std::byte* weights, const std::int8_t* quants)
{
    BlockProduct result;
    if (type == WeightType::Q8_0) {
        Q8Block block;
        std::memcpy(&block, weights, sizeof(block));
        for (std::size_t i = 0; i < kBlockColumns; ++i)
            result.sum += block.quants[i] * quants[i];
        result.weightScale = decodeF16(block.scale);
    } else {
        constexpr std::size_t kHalf = kBlockColumns / 2;
        Q4Block block;
        std::memcpy(&block, weights, sizeof(block));
        for (std::size_t i = 0; i < kHalf; ++i) {
            result.sum += ((block.nibbles[i] & 0xF) - 8) * quants[i];
            result.sum += ((block.nibbles[i] >> 4) - 8) * quants[i + kHalf];
        }
        result.weightScale = decodeF16(block.scale);
    }
    return result;
}

void streamInt8(const Product& product, const Tile& tile)
{
    const WeightView& weights = product.weights;
    const std::size_t blockBytes = blockShape(weights.type).bytes;
    const std::size_t blocks = weights.cols / kBlockColumns;
    for (std::size_t row = tile.firstRow; row < tile.firstRow + tile.rows; ++row) {
        const std::byte* rowBlocks = weights.data + row * blocks * blockBytes;
        for (std::size_t token = tile.firstToken; token < tile.firstToken + tile.tokens; ++token) {
            const std::int8_t* quants = product.rounded.quants + token * weights.cols;
            const float* scales = product.rounded.scales + token * blocks;
            float sum = 0.0F;
            for (std::size_t block = 0; block < blocks; ++block) {
                const BlockProduct part = multiplyBlock(
                    weights.type, rowBlocks + block * blockBytes, quants + block * kBlockColumns);
                sum += static_cast<float>(part.sum) * (part.weightScale * scales[block]);
            }
            product.out[token * weights.rows + row] = sum;
        }
    }
}

void tileInt8(const Product& product, const Tile& tile, std::byte*)
{
    streamInt8(product, tile);
}

/// Converts pieces of a row into `scratch`; the sum runs over the columns in their order.
void tileFloat(const Product& product, const Tile& tile, std::byte* scratch)
{
    const WeightView& weights = product.weights;
    const BlockShape shape = blockShape(weights.type);
    auto* piece = reinterpret_cast<float*>(scratch);
    for (std::size_t row = tile.firstRow; row < tile.firstRow + tile.rows; ++row) {
        const std::byte* begin = weights.data + row * rowBytes(weights.type, weights.cols);
        for (std::size_t first = 0; first < weights.cols; first += kFloatChunk) {
            const std::size_t count = std::min(kFloatChunk, weights.cols - first);
            dequantiseBlocks(
                {piece, count},
                {begin + first / shape.elements * shape.bytes, rowBytes(weights.type, count)},
                weights.type);
            for (std::size_t token = tile.firstToken; token < tile.firstToken + tile.tokens;
                 ++token) {
                const float* in = product.in + token * weights.cols + first;
                float sum = 0.0F;
                for (std::size_t i = 0; i < count; ++i)
                    sum += piece[i] * in[i];
                float& out = product.out[token * weights.rows + row];
                out = first == 0 ? sum : out + sum;
            }
        }
    }
}

void streamFloat(const Product& product, const Tile& tile)
{
    alignas(64) std::byte piece[kFloatChunk * sizeof(float)];
    tileFloat(product, tile, piece);
}

} // namespace

const MatmulKernels& scalarMatmulKernels()
{
    static constexpr MatmulKernels kKernels{.roundToken = roundToken,
                                            .groupBytes = groupBytes,
                                            .interleaveGroup = interleaveGroup,
                                            .streamInt8 = streamInt8,
                                            .tileInt8 = tileInt8,
                                            .streamFloat = streamFloat,
                                            .tileFloat = tileFloat};
    return kKernels;
}

} // namespace kernels::cpu
