#include "kernels/formats/quantise.h"

#include "kernels/formats/bf16.h"
#include "kernels/formats/f16.h"
#include "kernels/formats/q4_0.h"
#include "kernels/formats/q8_0.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace kernels {
namespace {

void requireWholeBlocks(std::size_t elements, std::size_t bytes, WeightType type)
{
    if (elements % blockShape(type).elements != 0 || bytes != rowBytes(type, elements))
        throw std::invalid_argument("a row of weights is not a whole number of blocks");
}

/// Mapped files give no alignment beyond two bytes, hence the copies instead of references.
template <typename Block, typename Encode>
void encodeBlocks(std::span<std::byte> out, std::span<const float> in, std::size_t elements,
                  Encode encode)
{
    std::byte* target = out.data();
    for (std::size_t i = 0; i < in.size(); i += elements, target += sizeof(Block)) {
        const Block block = encode(in.data() + i);
        std::memcpy(target, &block, sizeof(Block));
    }
}

template <typename Block, typename Decode>
void decodeBlocks(std::span<float> out, std::span<const std::byte> in, std::size_t elements,
                  Decode decode)
{
    const std::byte* source = in.data();
    for (std::size_t i = 0; i < out.size(); i += elements, source += sizeof(Block)) {
        Block block;
        std::memcpy(&block, source, sizeof(Block));
        decode(out.data() + i, block);
    }
}

} // namespace

void quantiseRow(std::span<std::byte> out, std::span<const float> in, WeightType type)
{
    requireWholeBlocks(in.size(), out.size(), type);
    switch (type) {
    case WeightType::F32:
        encodeBlocks<float>(out, in, 1, [](const float* x) { return *x; });
        break;
    case WeightType::F16:
        encodeBlocks<std::uint16_t>(out, in, 1, [](const float* x) { return encodeF16(*x); });
        break;
    case WeightType::BF16:
        encodeBlocks<std::uint16_t>(out, in, 1, [](const float* x) { return encodeBf16(*x); });
        break;
    case WeightType::Q8_0:
        encodeBlocks<Q8Block>(out, in, Q8Block::kElements, encodeQ8);
        break;
    case WeightType::Q4_0:
        encodeBlocks<Q4Block>(out, in, Q4Block::kElements, encodeQ4);
        break;
    }
}

void dequantiseBlocks(std::span<float> out, std::span<const std::byte> row, WeightType type)
{
    requireWholeBlocks(out.size(), row.size(), type);
    switch (type) {
    case WeightType::F32:
        decodeBlocks<float>(out, row, 1, [](float* x, float value) { *x = value; });
        break;
    case WeightType::F16:
        decodeBlocks<std::uint16_t>(out, row, 1,
                                    [](float* x, std::uint16_t value) { *x = decodeF16(value); });
        break;
    case WeightType::BF16:
        decodeBlocks<std::uint16_t>(out, row, 1,
                                    [](float* x, std::uint16_t value) { *x = decodeBf16(value); });
        break;
    case WeightType::Q8_0:
        decodeBlocks<Q8Block>(out, row, Q8Block::kElements, decodeQ8);
        break;
    case WeightType::Q4_0:
        decodeBlocks<Q4Block>(out, row, Q4Block::kElements, decodeQ4);
        break;
    }
}

} // namespace kernels
