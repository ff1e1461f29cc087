// Rounding activations to 8 bits, and bringing activations and weights into the order of the 8-bit
// kernels.

#include "kernels/cpu/matmul_avx2.h"

#include <cstring>
#include <immintrin.h>

namespace kernels::cpu::avx2 {
namespace {

constexpr std::size_t kQ8Bytes = 34; // binary16 scale, 32 quants
constexpr std::size_t kQ4Bytes = 18; // binary16 scale, 16 bytes of nibbles
constexpr float kSmallestNormal = 0x1p-126F;
constexpr float kLargestFinite = 0x1.fffffep127F;

/// Lane i of column j becomes lane j of row i, in place.
void transpose8x8(__m256i (&rows)[kLanes])
{
    __m256i pairs[kLanes];
    for (std::size_t i = 0; i < kLanes; i += 2) {
        pairs[i] = _mm256_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    __m256i fours[kLanes];
    for (std::size_t i = 0; i < kLanes; i += 4) {
        fours[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    for (std::size_t i = 0; i < 4; ++i) {
        rows[i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
        rows[i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
    }
}

void locateRows(const std::byte* (&rows)[kLanes], const WeightView& weights, std::size_t firstRow,
                std::size_t blockBytes, std::size_t firstBlock)
{
    const std::size_t bytes = weights.cols / kBlockColumns * blockBytes;
    for (std::size_t i = 0; i < kLanes; ++i) {
        const std::size_t row = firstRow + i < weights.rows ? firstRow + i : weights.rows - 1;
        rows[i] = weights.data + row * bytes + firstBlock * blockBytes;
    }
}

void unpackPairs(PairedPanelBlock& out, std::size_t lane, const std::byte* const (&rows)[kLanes])
{
    __m256i low[kLanes];
    __m256i high[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) {
        const auto* quants = reinterpret_cast<const __m128i*>(rows[i] + 2);
        low[i] = _mm256_cvtepi8_epi16(_mm_loadu_si128(quants));
        high[i] = _mm256_cvtepi8_epi16(_mm_loadu_si128(quants + 1));
    }
    transpose8x8(low);
    transpose8x8(high);
    for (std::size_t i = 0; i < kLanes; ++i) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(out.pairs[i][lane]), low[i]);
        _mm256_store_si256(reinterpret_cast<__m256i*>(out.pairs[i + kLanes][lane]), high[i]);
    }
    _mm256_store_ps(out.scales + lane, loadScales(rows, 0));
}

/// Adds 128 to each quant.
void unpackQ8Half(QuadPanelBlock& out, std::size_t lane, const std::byte* const (&rows)[kLanes])
{
    __m256i quads[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i)
        quads[i] =
            _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[i] + 2)),
                             _mm256_set1_epi8(-128));
    transpose8x8(quads);
    for (std::size_t i = 0; i < kLanes; ++i)
        _mm256_store_si256(reinterpret_cast<__m256i*>(out.quads[i][lane]), quads[i]);
    _mm256_store_ps(out.scales + lane, loadScales(rows, 0));
}

void unpackQ4Half(QuadPanelBlock& out, std::size_t lane, const std::byte* const (&rows)[kLanes])
{
    __m256i quads[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i)
        quads[i] = loadNibbles(rows[i] + 2);
    transpose8x8(quads);
    for (std::size_t i = 0; i < kLanes; ++i)
        _mm256_store_si256(reinterpret_cast<__m256i*>(out.quads[i][lane]), quads[i]);
    _mm256_store_ps(out.scales + lane, loadScales(rows, 0));
}

/// UnpackHalf: takes one block of eight rows.
template <auto UnpackHalf, typename PanelBlock>
void unpackRows(PanelBlock* out, const WeightView& weights, std::size_t firstRow,
                std::size_t blockBytes, std::size_t firstBlock, std::size_t blocks)
{
    for (std::size_t lane = 0; lane < kPanelRows; lane += kLanes) {
        const std::byte* rows[kLanes];
        locateRows(rows, weights, firstRow + lane, blockBytes, firstBlock);
        for (std::size_t block = 0; block < blocks; ++block) {
            UnpackHalf(out[block], lane, rows);
            for (const std::byte*& row : rows)
                row += blockBytes;
        }
    }
}

/// Stores the first kGroupTokens lanes.
void storeGroup(void* to, __m256i lanes)
{
    static_assert(kGroupTokens == 6);
    auto* bytes = static_cast<std::byte*>(to);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), _mm256_castsi256_si128(lanes));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(bytes + 16), _mm256_extracti128_si256(lanes, 1));
}

/// One block of columns of a group: the quants, scale and sum of each token.
struct GroupBlock
{
    const std::int8_t* quants[kGroupTokens];
    const float* scales[kGroupTokens];
    const std::int32_t* sums[kGroupTokens];
};

void interleaveBlock(PairedBlock& out, const GroupBlock& in, std::int32_t /*offset*/)
{
    __m256i low[kLanes] = {};
    __m256i high[kLanes] = {};
    for (std::size_t slot = 0; slot < kGroupTokens; ++slot) {
        const auto* quants = reinterpret_cast<const __m128i*>(in.quants[slot]);
        low[slot] = _mm256_cvtepi8_epi16(_mm_loadu_si128(quants));
        high[slot] = _mm256_cvtepi8_epi16(_mm_loadu_si128(quants + 1));
        out.scales[slot] = *in.scales[slot];
    }
    transpose8x8(low);
    transpose8x8(high);
    for (std::size_t i = 0; i < kLanes; ++i) {
        storeGroup(out.pairs[i], low[i]);
        storeGroup(out.pairs[i + kLanes], high[i]);
    }
}

void interleaveBlock(QuadBlock& out, const GroupBlock& in, std::int32_t offset)
{
    __m256i quads[kLanes] = {};
    for (std::size_t slot = 0; slot < kGroupTokens; ++slot) {
        quads[slot] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in.quants[slot]));
        out.scales[slot] = *in.scales[slot];
        out.offsets[slot] = offset * *in.sums[slot];
    }
    transpose8x8(quads);
    for (std::size_t i = 0; i < kLanes; ++i)
        storeGroup(out.quads[i], quads[i]);
}

/// Slots without a token repeat the last one: they are computed with the others and thrown away.
template <typename Block>
void interleave(const Product& product, std::size_t group)
{
    const std::size_t cols = product.weights.cols;
    const std::size_t blocks = cols / kBlockColumns;
    const std::int32_t offset = product.weights.type == WeightType::Q8_0 ? 128 : 8;
    auto* out = reinterpret_cast<Block*>(product.rounded.interleaved) + group * blocks;
    for (std::size_t block = 0; block < blocks; ++block) {
        GroupBlock in;
        for (std::size_t slot = 0; slot < kGroupTokens; ++slot) {
            const std::size_t wanted = group * kGroupTokens + slot;
            const std::size_t token = wanted < product.tokens ? wanted : product.tokens - 1;
            in.quants[slot] = product.rounded.quants + token * cols + block * kBlockColumns;
            in.scales[slot] = product.rounded.scales + token * blocks + block;
            in.sums[slot] = product.rounded.sums + token * blocks + block;
        }
        interleaveBlock(out[block], in, offset);
    }
}

/// Largest of eight non-negative integers.
std::int32_t largestLane(__m256i values)
{
    __m128i four =
        _mm_max_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0xB1));
    return _mm_cvtsi128_si32(four);
}

std::int32_t sumOfLanes(__m256i values)
{
    __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1));
    return _mm_cvtsi128_si32(four);
}

/// Magnitudes compare as integers, and what is not a number is above infinity.
float largestMagnitude(const __m256 (&values)[4])
{
    const __m256i mask = _mm256_set1_epi32(0x7FFFFFFF);
    __m256i largest = _mm256_setzero_si256();
    for (const __m256& value : values)
        largest = _mm256_max_epi32(largest, _mm256_and_si256(_mm256_castps_si256(value), mask));
    const std::int32_t bits = largestLane(largest);
    float magnitude;
    std::memcpy(&magnitude, &bits, sizeof(magnitude));
    return magnitude;
}

void roundBlock(const float* in, std::int8_t* quants, float& scale, std::int32_t& sum)
{
    __m256 values[4];
    for (std::size_t i = 0; i < 4; ++i)
        values[i] = _mm256_loadu_ps(in + i * kLanes);
    const float largest = largestMagnitude(values);
    const bool finite = largest <= kLargestFinite;
    scale = largest / 127.0F;
    const float inverse = finite && scale >= kSmallestNormal ? 1.0F / scale : 0.0F;
    if (!finite)
        scale = __builtin_nanf(""); // must stay visible in the result
    __m256i integers[4];
    for (std::size_t i = 0; i < 4; ++i) {
        const __m256 scaled = _mm256_mul_ps(values[i], _mm256_set1_ps(inverse));
        integers[i] = finite ? _mm256_cvtps_epi32(scaled) : _mm256_setzero_si256();
    }
    sum = sumOfLanes(_mm256_add_epi32(_mm256_add_epi32(integers[0], integers[1]),
                                      _mm256_add_epi32(integers[2], integers[3])));
    const __m256i low = _mm256_packs_epi32(integers[0], integers[1]);
    const __m256i high = _mm256_packs_epi32(integers[2], integers[3]);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); // undoes the packs' lanes
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(quants), bytes);
}

} // namespace

std::size_t groupBytes(WeightType type, std::size_t cols)
{
    const std::size_t blocks = cols / kBlockColumns;
    return blocks * (type == WeightType::Q8_0 ? sizeof(PairedBlock) : sizeof(QuadBlock));
}

std::size_t quadGroupBytes(WeightType /*type*/, std::size_t cols)
{
    return cols / kBlockColumns * sizeof(QuadBlock);
}

void roundToken(const Product& product, std::size_t token)
{
    const std::size_t cols = product.weights.cols;
    const std::size_t blocks = cols / kBlockColumns;
    for (std::size_t block = 0; block < blocks; ++block) {
        const std::size_t column = token * cols + block * kBlockColumns;
        roundBlock(product.in + column, product.rounded.quants + column,
                   product.rounded.scales[token * blocks + block],
                   product.rounded.sums[token * blocks + block]);
    }
}

void interleaveGroup(const Product& product, std::size_t group)
{
    if (product.weights.type == WeightType::Q8_0)
        interleave<PairedBlock>(product, group);
    else
        interleave<QuadBlock>(product, group);
}

void interleaveQuads(const Product& product, std::size_t group)
{
    interleave<QuadBlock>(product, group);
}

void unpackPanel(PairedPanelBlock* out, const WeightView& weights, std::size_t firstRow,
                 std::size_t firstBlock, std::size_t blocks)
{
    unpackRows<unpackPairs>(out, weights, firstRow, kQ8Bytes, firstBlock, blocks);
}

void unpackPanel(QuadPanelBlock* out, const WeightView& weights, std::size_t firstRow,
                 std::size_t firstBlock, std::size_t blocks)
{
    if (weights.type == WeightType::Q8_0)
        unpackRows<unpackQ8Half>(out, weights, firstRow, kQ8Bytes, firstBlock, blocks);
    else
        unpackRows<unpackQ4Half>(out, weights, firstRow, kQ4Bytes, firstBlock, blocks);
}

} // namespace kernels::cpu::avx2
