#include "kernels/kv_page.h"

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kv_page_half.h"
#include "kernels/cpu/kv_page_half_avx2.h"
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

void decodeInt8Row(std::span<float> out, const std::byte* page, const RowPlaces& places,
                   std::size_t row)
{
    const float scale = floatFromHalf(load<std::uint16_t>(page, row));
    const std::byte* codes = page + kInt8CodesOffset;
    for (std::size_t channel = 0; channel < out.size(); ++channel)
        out[channel] =
            scale * static_cast<float>(load<std::int8_t>(codes, places.at(row, channel)));
}

void convert(float& to, float from)
{
    to = from;
}

void convert(float& to, std::uint16_t half)
{
    to = floatFromHalf(half);
}

void convert(std::uint16_t& half, float from)
{
    half = halfFromFloat(from);
}

/// Numbers that stand next to each other in a panel: a row's channels of the values, a channel's
/// rows of the keys.
struct Run
{
    std::size_t place; // in the page
    std::size_t row;   // in (rows, headDim): where the first one belongs, and the way to the next
    std::size_t step;
    std::size_t width; // at most kPanelWidth
};

template <class Visit>
void forEachRun(PageSide side, std::size_t headDim, std::size_t first, std::size_t count,
                const Visit& visit)
{
    const PanelShape shape = panelShape(side, headDim);
    const bool isKeys = side == PageSide::Keys;
    const std::size_t begin = isKeys ? first : 0; // columns
    const std::size_t end = isKeys ? first + count : headDim;
    const std::size_t lines = isKeys ? headDim : count;
    const std::size_t lineStep = isKeys ? 1 : headDim;
    const std::size_t columnStep = isKeys ? headDim : 1;
    for (std::size_t column = begin; column < end;) {
        const std::size_t stop = std::min(end, (column / kPanelWidth + 1) * kPanelWidth);
        for (std::size_t line = 0; line < lines; ++line)
            visit(Run{panelIndex(shape, line + (isKeys ? 0 : first), column),
                      line * lineStep + (column - begin) * columnStep, columnStep, stop - column});
        column = stop;
    }
}

template <class Number>
void encodeNumbers(PageSide side, std::byte* page, std::span<const float> rows, std::size_t headDim,
                   std::size_t first)
{
    std::array<float, kPanelWidth> given{};
    std::array<Number, kPanelWidth> stored{};
    forEachRun(side, headDim, first, rows.size() / headDim, [&](const Run& run) {
        for (std::size_t c = 0; c < run.width; ++c)
            given[c] = rows[run.row + c * run.step];
        for (std::size_t c = 0; c < kPanelWidth; ++c) // all of them, so that it is a vector
            convert(stored[c], given[c]);
        std::memcpy(page + run.place * sizeof(Number), stored.data(), run.width * sizeof(Number));
    });
}

template <class Number>
void decodeNumbers(PageSide side, std::span<float> out, const std::byte* page, std::size_t headDim,
                   std::size_t first)
{
    std::array<Number, kPanelWidth> stored{};
    std::array<float, kPanelWidth> numbers{};
    forEachRun(side, headDim, first, out.size() / headDim, [&](const Run& run) {
        std::memcpy(stored.data(), page + run.place * sizeof(Number), run.width * sizeof(Number));
        for (std::size_t c = 0; c < kPanelWidth; ++c)
            convert(numbers[c], stored[c]);
        for (std::size_t c = 0; c < run.width; ++c)
            out[run.row + c * run.step] = numbers[c];
    });
}

/// The rows of [first, first + count) that the processor's own conversions can take: all, none, or
/// of keys those that fill whole panels.
struct WholePart
{
    std::size_t begin;
    std::size_t end;
};

WholePart wholePart([[maybe_unused]] PageSide side, std::size_t first,
                    [[maybe_unused]] std::size_t count)
{
#if defined(EPITOME_AVX2_KERNELS)
    if (bestKernelLevel() >= KernelLevel::Avx2) {
        if (side == PageSide::Values)
            return {first, first + count};
        const std::size_t begin = (first + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
        return {begin, std::max(begin, (first + count) / kPanelWidth * kPanelWidth)};
    }
#endif
    return {first, first};
}

void encodeHalves(PageSide side, std::byte* page, std::span<const float> rows, std::size_t headDim,
                  std::size_t first)
{
    const std::size_t count = rows.size() / headDim;
    const WholePart whole = wholePart(side, first, count);
    if (whole.begin == whole.end)
        return encodeNumbers<std::uint16_t>(side, page, rows, headDim, first);
    const auto before = (whole.begin - first) * headDim;
    const auto until = (whole.end - first) * headDim;
    encodeNumbers<std::uint16_t>(side, page, rows.first(before), headDim, first);
#if defined(EPITOME_AVX2_KERNELS)
    encodeHalvesAvx2(side, page, rows.subspan(before, until - before), headDim, whole.begin);
#endif
    encodeNumbers<std::uint16_t>(side, page, rows.subspan(until), headDim, whole.end);
}

void decodeHalves(PageSide side, std::span<float> rows, const std::byte* page, std::size_t headDim,
                  std::size_t first)
{
    const std::size_t count = rows.size() / headDim;
    const WholePart whole = wholePart(side, first, count);
    if (whole.begin == whole.end)
        return decodeNumbers<std::uint16_t>(side, rows, page, headDim, first);
    const auto before = (whole.begin - first) * headDim;
    const auto until = (whole.end - first) * headDim;
    decodeNumbers<std::uint16_t>(side, rows.first(before), page, headDim, first);
#if defined(EPITOME_AVX2_KERNELS)
    decodeHalvesAvx2(side, rows.subspan(before, until - before), page, headDim, whole.begin);
#endif
    decodeNumbers<std::uint16_t>(side, rows.subspan(until), page, headDim, whole.end);
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
    if (type == KvType::F32)
        return encodeNumbers<float>(side, page, rows, headDim, first);
    if (type == KvType::F16)
        return encodeHalves(side, page, rows, headDim, first);
    const RowPlaces places{.side = side, .shape = panelShape(side, headDim)};
    for (std::size_t row = 0; row < count; ++row)
        encodeInt8Row(page, places, first + row, rows.subspan(row * headDim, headDim));
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
        return decodeHalves(side, out, page, headDim, first);
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
