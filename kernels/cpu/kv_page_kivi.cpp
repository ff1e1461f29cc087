#include "kernels/cpu/kv_page_kivi.h"

#include "kernels/cpu/kv_page_half.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace kernels::cpu {

static_assert(std::endian::native == std::endian::little, "pages are written as little-endian");

namespace {

constexpr float kLargestHalf = 65504.0F;

/// Where the number at (depth, column) lies in row-major rows.
struct RowStrides
{
    std::size_t depth = 0;
    std::size_t column = 0;
};

constexpr RowStrides rowStrides(PageSide side, std::size_t headDim)
{
    return side == PageSide::Keys ? RowStrides{1, headDim} : RowStrides{headDim, 1};
}

float nearestHalf(float value)
{
    return floatFromHalf(halfFromFloat(std::clamp(value, -kLargestHalf, kLargestHalf)));
}

void storeHalf(std::byte* page, std::size_t index, float value)
{
    const std::uint16_t half = halfFromFloat(value);
    std::memcpy(page + index * sizeof(half), &half, sizeof(half));
}

float loadHalf(const std::byte* page, std::size_t index)
{
    std::uint16_t half = 0;
    std::memcpy(&half, page + index * sizeof(half), sizeof(half));
    return floatFromHalf(half);
}

} // namespace

KiviGroupScale quantiseKiviGroup(std::span<std::uint8_t> codes, std::span<const float> values,
                                 unsigned bits)
{
    const auto [smallest, largest] = std::ranges::minmax(values);
    const KiviGroupScale group{.minimum = nearestHalf(smallest),
                               .range = nearestHalf(largest - smallest)};
    const auto lastCode = static_cast<float>((1U << bits) - 1U);
    const float scale = group.range / lastCode;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float steps = scale > 0.0F ? (values[i] - group.minimum) / scale : 0.0F;
        codes[i] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(steps), 0.0F, lastCode));
    }
    return group;
}

float kiviValue(const KiviGroupScale& group, std::uint8_t code, unsigned bits)
{
    // From the middle of the group both ends are equally exact.
    const auto lastCode = static_cast<float>((1U << bits) - 1U);
    const float middle = group.minimum + 0.5F * group.range;
    return (static_cast<float>(code) - 0.5F * lastCode) * (group.range / lastCode) + middle;
}

std::uint32_t packKiviCodes(std::span<const std::uint8_t> codes, unsigned bits)
{
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < codes.size(); ++i)
        word |= static_cast<std::uint32_t>(codes[i]) << (i * bits);
    return word;
}

void encodeKiviPage(KvType type, PageSide side, std::byte* page, std::span<const float> rows,
                    std::size_t headDim)
{
    const PanelShape shape = panelShape(side, headDim);
    const RowStrides strides = rowStrides(side, headDim);
    const unsigned bits = kiviBits(type);
    const std::size_t codesPerWord = 32 / bits;
    const std::size_t groups = kiviGroups(shape);
    std::array<float, kKiviGroup> values{};
    std::array<std::uint8_t, kKiviGroup> codes{};
    for (std::size_t index = 0; index < groups; ++index) {
        const std::size_t depth = index % shape.depth;
        const std::size_t firstColumn = index / shape.depth * kKiviGroup;
        for (std::size_t i = 0; i < kKiviGroup; ++i)
            values[i] = rows[depth * strides.depth + (firstColumn + i) * strides.column];
        const KiviGroupScale group = quantiseKiviGroup(codes, values, bits);
        storeHalf(page, index, group.range);
        storeHalf(page, groups + index, group.minimum);
        for (std::size_t i = 0; i < kKiviGroup; i += codesPerWord) {
            const std::uint32_t word =
                packKiviCodes(std::span(codes).subspan(i, codesPerWord), bits);
            const std::size_t place = panelIndex(shape, depth, firstColumn + i) / codesPerWord;
            std::memcpy(page + kiviCodesOffset(shape) + place * sizeof(word), &word, sizeof(word));
        }
    }
}

void decodeKiviPage(KvType type, PageSide side, std::span<float> out, const std::byte* page,
                    std::size_t headDim, std::size_t first)
{
    const PanelShape shape = panelShape(side, headDim);
    const unsigned bits = kiviBits(type);
    const std::size_t codesPerWord = 32 / bits;
    const std::size_t groups = kiviGroups(shape);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t row = first + i / headDim;
        const std::size_t channel = i % headDim;
        const std::size_t depth = side == PageSide::Keys ? channel : row;
        const std::size_t column = side == PageSide::Keys ? row : channel;
        const std::size_t index = column / kKiviGroup * shape.depth + depth;
        const std::size_t place = panelIndex(shape, depth, column);
        std::uint32_t word = 0;
        std::memcpy(&word, page + kiviCodesOffset(shape) + place / codesPerWord * sizeof(word),
                    sizeof(word));
        const std::uint32_t code = (word >> (place % codesPerWord * bits)) & ((1U << bits) - 1U);
        out[i] =
            kiviValue({.minimum = loadHalf(page, groups + index), .range = loadHalf(page, index)},
                      static_cast<std::uint8_t>(code), bits);
    }
}

} // namespace kernels::cpu
