#include "kernels/kv_page.h"

#include "kernels/cpu/kv_page_half.h"
#include "kernels/cpu/kv_page_kivi.h"
#include "kernels/cpu/kv_page_layout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace kernels {
namespace {

constexpr float kLargestCode = 127.0F;

std::size_t pageBytes(KvType type, cpu::PageSide side, std::size_t headDim)
{
    const std::size_t numbers = kPageRows * headDim;
    switch (type) {
    case KvType::F32:
        return numbers * sizeof(float);
    case KvType::F16:
        return numbers * sizeof(std::uint16_t);
    case KvType::Int8:
        return cpu::kInt8CodesOffset + numbers;
    case KvType::Kivi4:
    case KvType::Kivi2:
        return cpu::kiviCodesOffset(cpu::panelShape(side, headDim)) +
               numbers * cpu::kiviBits(type) / 8;
    }
    throw std::invalid_argument("unknown storage type of a key/value page");
}

} // namespace

std::size_t keyPageBytes(KvType type, std::size_t headDim)
{
    return pageBytes(type, cpu::PageSide::Keys, headDim);
}

std::size_t valuePageBytes(KvType type, std::size_t headDim)
{
    return pageBytes(type, cpu::PageSide::Values, headDim);
}

namespace cpu {
namespace {

/// Position of (row, channel) in the page and the way from one channel to the next.
struct RowPlaces
{
    PageSide side;
    PanelShape shape;

    std::size_t at(std::size_t row, std::size_t channel) const
    {
        return side == PageSide::Keys ? panelIndex(shape, channel, row)
                                      : panelIndex(shape, row, channel);
    }
};

template <class Number>
void store(std::byte* page, std::size_t index, Number value)
{
    std::memcpy(page + index * sizeof(value), &value, sizeof(value));
}

template <class Number>
Number load(const std::byte* page, std::size_t index)
{
    Number value{};
    std::memcpy(&value, page + index * sizeof(value), sizeof(value));
    return value;
}

/// The smallest float16 not below `scale`, so that no code passes 127.
std::uint16_t scaleHalf(float scale)
{
    const std::uint16_t half = halfFromFloat(scale);
    return floatFromHalf(half) < scale ? static_cast<std::uint16_t>(half + 1U) : half;
}

void encodeInt8Row(std::byte* page, const RowPlaces& places, std::size_t row,
                   std::span<const float> values)
{
    float largest = 0.0F;
    for (const float value : values)
        largest = std::max(largest, std::abs(value));
    const std::uint16_t half = scaleHalf(largest / kLargestCode);
    const float scale = floatFromHalf(half);
    const float inverse = scale > 0.0F ? 1.0F / scale : 0.0F;
    store(page, row, half);
    std::byte* codes = page + kInt8CodesOffset;
    for (std::size_t channel = 0; channel < values.size(); ++channel) {
        const float code = std::nearbyint(values[channel] * inverse);
        store(codes, places.at(row, channel),
              static_cast<std::int8_t>(std::clamp(code, -kLargestCode, kLargestCode)));
    }
}

void encodeRow(KvType type, std::byte* page, const RowPlaces& places, std::size_t row,
               std::span<const float> values)
{
    if (type == KvType::Int8) {
        encodeInt8Row(page, places, row, values);
        return;
    }
    for (std::size_t channel = 0; channel < values.size(); ++channel) {
        if (type == KvType::F32)
            store(page, places.at(row, channel), values[channel]);
        else
            store(page, places.at(row, channel), halfFromFloat(values[channel]));
    }
}

void decodeInt8Row(std::span<float> out, const std::byte* page, const RowPlaces& places,
                   std::size_t row)
{
    const float scale = floatFromHalf(load<std::uint16_t>(page, row));
    const std::byte* codes = page + kInt8CodesOffset;
    for (std::size_t channel = 0; channel < out.size(); ++channel)
        out[channel] =
            scale * static_cast<float>(load<std::int8_t>(codes, places.at(row, channel)));
}

float numberOf(float value)
{
    return value;
}

float numberOf(std::uint16_t half)
{
    return floatFromHalf(half);
}

/// Numbers that stand next to each other in a panel are taken together: a row's channels of the
/// values, a channel's rows of the keys.
template <class Number>
void decodeNumbers(PageSide side, std::span<float> out, const std::byte* page, std::size_t headDim,
                   std::size_t first)
{
    const PanelShape shape = panelShape(side, headDim);
    const std::size_t count = out.size() / headDim;
    const std::size_t outer = side == PageSide::Keys ? headDim : count; // of a panel
    const std::size_t begin = side == PageSide::Keys ? first : 0;       // columns
    const std::size_t end = side == PageSide::Keys ? first + count : headDim;
    const std::size_t outerStep = side == PageSide::Keys ? 1 : headDim; // in `out`
    const std::size_t columnStep = side == PageSide::Keys ? headDim : 1;
    const std::size_t depth = side == PageSide::Keys ? 0 : first;
    std::array<Number, kPanelWidth> stored{};
    std::array<float, kPanelWidth> run{};
    for (std::size_t column = begin; column < end;) {
        const std::size_t stop = std::min(end, (column / kPanelWidth + 1) * kPanelWidth);
        const std::size_t width = stop - column;
        for (std::size_t i = 0; i < outer; ++i) {
            const std::size_t place = panelIndex(shape, depth + i, column);
            std::memcpy(stored.data(), page + place * sizeof(Number), width * sizeof(Number));
            for (std::size_t c = 0; c < kPanelWidth; ++c) // all of them, so that it is a vector
                run[c] = numberOf(stored[c]);
            float* target = &out[i * outerStep + (column - begin) * columnStep];
            for (std::size_t c = 0; c < width; ++c)
                target[c * columnStep] = run[c];
        }
        column = stop;
    }
}

void encode(KvType type, PageSide side, std::byte* page, std::span<const float> rows,
            std::size_t headDim, std::size_t first)
{
    const std::size_t count = rows.size() / headDim;
    if (first + count > kPageRows || count * headDim != rows.size())
        throw std::invalid_argument("the rows do not fit into a key/value page");
    if (!isAppendable(type)) {
        if (first != 0 || count != kPageRows)
            throw std::invalid_argument("a grouped key/value page is written as a whole");
        encodeKiviPage(type, side, page, rows, headDim);
        return;
    }
    const RowPlaces places{.side = side, .shape = panelShape(side, headDim)};
    for (std::size_t row = 0; row < count; ++row)
        encodeRow(type, page, places, first + row, rows.subspan(row * headDim, headDim));
}

void decode(KvType type, PageSide side, std::span<float> out, const std::byte* page,
            std::size_t headDim, std::size_t first, std::size_t count)
{
    if (first + count > kPageRows || count * headDim != out.size())
        throw std::invalid_argument("the rows asked for are not in a key/value page");
    if (!isAppendable(type)) {
        decodeKiviPage(type, side, out, page, headDim, first);
        return;
    }
    if (type == KvType::F32)
        return decodeNumbers<float>(side, out, page, headDim, first);
    if (type == KvType::F16)
        return decodeNumbers<std::uint16_t>(side, out, page, headDim, first);
    const RowPlaces places{.side = side, .shape = panelShape(side, headDim)};
    for (std::size_t row = 0; row < count; ++row)
        decodeInt8Row(out.subspan(row * headDim, headDim), page, places, first + row);
}

} // namespace

void encodeKeys(KvType type, std::byte* page, std::span<const float> rows, std::size_t headDim,
                std::size_t first)
{
    encode(type, PageSide::Keys, page, rows, headDim, first);
}

void encodeValues(KvType type, std::byte* page, std::span<const float> rows, std::size_t headDim,
                  std::size_t first)
{
    encode(type, PageSide::Values, page, rows, headDim, first);
}

void decodeKeys(KvType type, std::span<float> out, const std::byte* page, std::size_t headDim,
                std::size_t first, std::size_t count)
{
    decode(type, PageSide::Keys, out, page, headDim, first, count);
}

void decodeValues(KvType type, std::span<float> out, const std::byte* page, std::size_t headDim,
                  std::size_t first, std::size_t count)
{
    decode(type, PageSide::Values, out, page, headDim, first, count);
}

} // namespace cpu
} // namespace kernels
