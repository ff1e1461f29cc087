#include "app/library/word_codec.h"

#include "engine/error.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace app {
namespace {

constexpr double kUnitsPerPoint = 64.0;
constexpr double kLimitPoints = 1'000'000.0;
constexpr std::int64_t kLimitUnits = 64'000'000;
constexpr std::size_t kShortestWord = 6; // bytes: six numbers of one byte

struct Box
{
    std::int64_t left = 0;
    std::int64_t top = 0;
    std::int64_t width = 0;
    std::int64_t height = 0;
};

[[noreturn]] void throwDamaged()
{
    throw engine::Error(engine::ErrorCode::Damaged,
                        "The word positions of a page are damaged: remove the document and import "
                        "it again.");
}

std::int64_t toUnits(float points)
{
    const double value = std::isnan(points) ? 0.0 : static_cast<double>(points);
    return std::llround(std::clamp(value, -kLimitPoints, kLimitPoints) * kUnitsPerPoint);
}

float toPoints(std::int64_t units)
{
    return static_cast<float>(static_cast<double>(units) / kUnitsPerPoint);
}

void putNumber(std::vector<std::byte>& bytes, std::uint64_t value)
{
    while (value >= 0x80) {
        bytes.push_back(static_cast<std::byte>((value & 0x7f) | 0x80));
        value >>= 7U;
    }
    bytes.push_back(static_cast<std::byte>(value));
}

void putSigned(std::vector<std::byte>& bytes, std::int64_t value)
{
    putNumber(bytes,
              (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63));
}

class Reader
{
public:
    explicit Reader(std::span<const std::byte> bytes)
        : m_rest(bytes)
    {}

    bool atEnd() const { return m_rest.empty(); }

    std::uint64_t number()
    {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 63; shift += 7) {
            if (m_rest.empty())
                throwDamaged();
            const auto byte = std::to_integer<std::uint64_t>(m_rest.front());
            m_rest = m_rest.subspan(1);
            value |= (byte & 0x7f) << shift;
            if ((byte & 0x80) == 0)
                return value;
        }
        throwDamaged();
    }

    std::int64_t coordinate(std::int64_t base)
    {
        const std::uint64_t coded = number();
        const std::int64_t delta =
            static_cast<std::int64_t>(coded >> 1U) ^ -static_cast<std::int64_t>(coded & 1U);
        // The base is within the limits below, so the difference cannot overflow.
        if (delta < -4 * kLimitUnits || delta > 4 * kLimitUnits)
            throwDamaged();
        const std::int64_t value = base + delta;
        if (value < -kLimitUnits || value > kLimitUnits)
            throwDamaged();
        return value;
    }

private:
    std::span<const std::byte> m_rest;
};

} // namespace

std::vector<std::byte> encodeWords(std::span<const ImportedWord> words, std::size_t pageBegin)
{
    std::vector<std::byte> bytes;
    bytes.reserve(words.size() * 9);
    std::size_t position = pageBegin;
    Box before;
    for (const ImportedWord& word : words) {
        const Box box{toUnits(word.x), toUnits(word.y), toUnits(word.width), toUnits(word.height)};
        putNumber(bytes, word.range.begin - position);
        putNumber(bytes, word.range.end - word.range.begin);
        putSigned(bytes, box.left - (before.left + before.width));
        putSigned(bytes, box.top - before.top);
        putSigned(bytes, box.width);
        putSigned(bytes, box.height - before.height);
        position = word.range.end;
        before = box;
    }
    return bytes;
}

std::vector<ImportedWord> decodeWords(std::span<const std::byte> bytes, std::size_t count,
                                      ByteRange page)
{
    if (count > bytes.size() / kShortestWord)
        throwDamaged();
    std::vector<ImportedWord> words;
    words.reserve(count);
    Reader reader(bytes);
    std::uint32_t position = page.begin;
    Box before;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t skipped = reader.number();
        if (skipped > page.end - position)
            throwDamaged();
        const auto begin = static_cast<std::uint32_t>(position + skipped);
        const std::uint64_t length = reader.number();
        if (length > page.end - begin)
            throwDamaged();
        position = static_cast<std::uint32_t>(begin + length);
        Box box;
        box.left = reader.coordinate(before.left + before.width);
        box.top = reader.coordinate(before.top);
        box.width = reader.coordinate(0);
        box.height = reader.coordinate(before.height);
        words.push_back({{begin, position},
                         toPoints(box.left),
                         toPoints(box.top),
                         toPoints(box.width),
                         toPoints(box.height)});
        before = box;
    }
    if (!reader.atEnd())
        throwDamaged();
    return words;
}

} // namespace app
