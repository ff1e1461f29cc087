#include "engine/kv/entropy_coder.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

namespace engine {
namespace {

constexpr unsigned kTableBits = 12;
constexpr std::uint32_t kTableSize = 1U << kTableBits;
constexpr std::size_t kSymbols = 256;
constexpr std::size_t kCoders = 4;
constexpr std::uint32_t kLowestState = 1U << 16U; // states lie in [2^16, 2^32)

enum class StreamKind : std::uint8_t
{
    AsIs = 0,
    Coded = 1
};

using Counts = std::array<std::uint64_t, kSymbols>;
using Frequencies = std::array<std::uint32_t, kSymbols>; // sum kTableSize, or all 0

/// Shares of kTableSize in proportion to the counts; a value that occurs gets at least 1. What
/// rounding leaves over or lacks is taken from the largest share, where it costs least.
Frequencies frequenciesOf(const Counts& counts)
{
    const std::uint64_t total = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    Frequencies frequencies{};
    std::uint32_t sum = 0;
    for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
        if (counts[symbol] == 0)
            continue;
        frequencies[symbol] = static_cast<std::uint32_t>(
            std::max<std::uint64_t>(1, counts[symbol] * kTableSize / total));
        sum += frequencies[symbol];
    }
    while (sum > kTableSize) { // at most 255 shares were rounded up
        --*std::ranges::max_element(frequencies);
        --sum;
    }
    *std::ranges::max_element(frequencies) += kTableSize - sum;
    return frequencies;
}

Frequencies startsOf(const Frequencies& frequencies)
{
    Frequencies starts{};
    std::exclusive_scan(frequencies.begin(), frequencies.end(), starts.begin(), 0U);
    return starts;
}

void writeFrequencies(const Frequencies& frequencies, ByteWriter& writer)
{
    std::array<std::uint8_t, kSymbols / 8> present{};
    for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
        if (frequencies[symbol] != 0)
            present[symbol / 8] = static_cast<std::uint8_t>(present[symbol / 8] | 1U << symbol % 8);
    }
    writer.put(present);
    for (const std::uint32_t frequency : frequencies) {
        if (frequency != 0)
            writer.put(static_cast<std::uint16_t>(frequency));
    }
}

Frequencies readFrequencies(ByteReader& reader)
{
    const auto present = reader.get<std::array<std::uint8_t, kSymbols / 8>>("frequencies");
    Frequencies frequencies{};
    std::uint32_t sum = 0;
    for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
        if ((present[symbol / 8] >> symbol % 8 & 1U) == 0)
            continue;
        frequencies[symbol] = reader.get<std::uint16_t>("frequencies");
        if (frequencies[symbol] == 0)
            reader.fail("frequencies");
        sum += frequencies[symbol];
    }
    if (sum != kTableSize)
        reader.fail("frequencies");
    return frequencies;
}

/// The words of a stream in the order in which they are read, and the states to start reading with.
struct CodedWords
{
    std::vector<std::uint16_t> words;
    std::array<std::uint32_t, kCoders> states{};
};

/// Coding runs from the last byte to the first, so that reading runs forwards.
CodedWords code(std::span<const std::byte> bytes, const Frequencies& frequencies)
{
    const Frequencies starts = startsOf(frequencies);
    CodedWords coded;
    coded.states.fill(kLowestState);
    for (std::size_t i = bytes.size(); i-- > 0;) {
        const auto symbol = std::to_integer<std::size_t>(bytes[i]);
        std::uint32_t& state = coded.states[i % kCoders];
        const std::uint32_t frequency = frequencies[symbol];
        const std::uint64_t limit = std::uint64_t{frequency} << (32U - kTableBits);
        if (state >= limit) {
            coded.words.push_back(static_cast<std::uint16_t>(state));
            state >>= 16U;
        }
        state = (state / frequency << kTableBits) + state % frequency + starts[symbol];
    }
    std::ranges::reverse(coded.words);
    return coded;
}

/// For each of the kTableSize slots its symbol, the symbol's share, and the slot's place in it.
struct Slot
{
    std::uint16_t frequency = 0;
    std::uint16_t offset = 0;
    std::byte symbol{};
};

std::vector<Slot> slotsOf(const Frequencies& frequencies)
{
    std::vector<Slot> slots;
    slots.reserve(kTableSize);
    for (std::size_t symbol = 0; symbol < kSymbols; ++symbol) {
        for (std::uint32_t offset = 0; offset < frequencies[symbol]; ++offset)
            slots.push_back({static_cast<std::uint16_t>(frequencies[symbol]),
                             static_cast<std::uint16_t>(offset), static_cast<std::byte>(symbol)});
    }
    return slots;
}

} // namespace

void encodeEntropy(std::span<const std::byte> bytes, ByteWriter& writer)
{
    Counts counts{};
    for (const std::byte byte : bytes)
        ++counts[std::to_integer<std::size_t>(byte)];
    ByteWriter coded;
    if (!bytes.empty()) {
        const Frequencies frequencies = frequenciesOf(counts);
        writeFrequencies(frequencies, coded);
        const CodedWords words = code(bytes, frequencies);
        coded.put(words.states);
        coded.putArray(std::span<const std::uint16_t>(words.words));
    }
    if (bytes.empty() || coded.size() >= bytes.size()) {
        writer.put(StreamKind::AsIs);
        writer.putBytes(bytes);
        return;
    }
    writer.put(StreamKind::Coded);
    writer.putBytes(coded.take());
}

std::vector<std::byte> decodeEntropy(ByteReader& reader, std::size_t count)
{
    const auto kind = reader.get<std::uint8_t>("stream kind");
    if (kind == static_cast<std::uint8_t>(StreamKind::AsIs)) {
        const auto bytes = reader.getBytes(count, "stream");
        return {bytes.begin(), bytes.end()};
    }
    if (kind != static_cast<std::uint8_t>(StreamKind::Coded))
        reader.fail("stream kind");
    const std::vector<Slot> slots = slotsOf(readFrequencies(reader));
    auto states = reader.get<std::array<std::uint32_t, kCoders>>("stream states");
    const auto words = reader.getArray<std::uint16_t>("stream words");
    std::vector<std::byte> out(count);
    std::size_t next = 0;
    for (std::size_t i = 0; i < count; ++i) {
        std::uint32_t& state = states[i % kCoders];
        const Slot& slot = slots[state % kTableSize];
        out[i] = slot.symbol;
        state = slot.frequency * (state >> kTableBits) + slot.offset;
        if (state < kLowestState && next < words.size())
            state = state << 16U | words[next++];
    }
    // A right stream uses every word and ends where the coder began.
    const bool ended =
        std::ranges::all_of(states, [](std::uint32_t state) { return state == kLowestState; });
    if (next != words.size() || !ended)
        reader.fail("stream");
    return out;
}

} // namespace engine
