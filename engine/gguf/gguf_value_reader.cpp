#include "engine/gguf/gguf_value_reader.h"

namespace engine {
namespace {

constexpr std::uint64_t kLongestString = 64ULL << 20U;
constexpr std::uint64_t kMostArrayElements = 1ULL << 24U; // together: they grow when widened

} // namespace

GgufValue GgufValueReader::read(GgufValueType type)
{
    switch (type) {
    case GgufValueType::Uint8:
        return std::uint64_t{m_cursor.read<std::uint8_t>()};
    case GgufValueType::Int8:
        return std::int64_t{m_cursor.read<std::int8_t>()};
    case GgufValueType::Uint16:
        return std::uint64_t{m_cursor.read<std::uint16_t>()};
    case GgufValueType::Int16:
        return std::int64_t{m_cursor.read<std::int16_t>()};
    case GgufValueType::Uint32:
        return std::uint64_t{m_cursor.read<std::uint32_t>()};
    case GgufValueType::Int32:
        return std::int64_t{m_cursor.read<std::int32_t>()};
    case GgufValueType::Float32:
        return double{m_cursor.read<float>()};
    case GgufValueType::Bool:
        return readBool() != 0;
    case GgufValueType::String:
        return m_cursor.readString(kLongestString);
    case GgufValueType::Array:
        return readArray();
    case GgufValueType::Uint64:
        return m_cursor.read<std::uint64_t>();
    case GgufValueType::Int64:
        return m_cursor.read<std::int64_t>();
    case GgufValueType::Float64:
        return m_cursor.read<double>();
    }
    throw Error(ErrorCode::Internal, "A metadata type was not checked before it was read.");
}

GgufArray GgufValueReader::readArray()
{
    const auto element = m_cursor.read<std::uint32_t>();
    const auto count = m_cursor.read<std::uint64_t>();
    if (count > kMostArrayElements - m_arrayElements) {
        m_cursor.throwDamaged(m_cursor.field() + " has too many elements (" +
                              std::to_string(count) + ")");
    }
    m_arrayElements += count;
    switch (static_cast<GgufValueType>(element)) {
    case GgufValueType::Uint8:
        return {element, readNumbers<std::uint8_t, std::uint64_t>(count)};
    case GgufValueType::Int8:
        return {element, readNumbers<std::int8_t, std::int64_t>(count)};
    case GgufValueType::Uint16:
        return {element, readNumbers<std::uint16_t, std::uint64_t>(count)};
    case GgufValueType::Int16:
        return {element, readNumbers<std::int16_t, std::int64_t>(count)};
    case GgufValueType::Uint32:
        return {element, readNumbers<std::uint32_t, std::uint64_t>(count)};
    case GgufValueType::Int32:
        return {element, readNumbers<std::int32_t, std::int64_t>(count)};
    case GgufValueType::Float32:
        return {element, readNumbers<float, double>(count)};
    case GgufValueType::Bool:
        return {element, readBools(count)};
    case GgufValueType::String:
        return {element, readStrings(count)};
    case GgufValueType::Uint64:
        return {element, readNumbers<std::uint64_t, std::uint64_t>(count)};
    case GgufValueType::Int64:
        return {element, readNumbers<std::int64_t, std::int64_t>(count)};
    case GgufValueType::Float64:
        return {element, readNumbers<double, double>(count)};
    case GgufValueType::Array:
        break;
    }
    m_cursor.throwDamaged(m_cursor.field() + " is an array of the unusable element type " +
                          std::to_string(element));
}

template <typename Stored, typename Widened>
std::vector<Widened> GgufValueReader::readNumbers(std::uint64_t count)
{
    m_cursor.requireItems(count, sizeof(Stored));
    std::vector<Widened> numbers(static_cast<std::size_t>(count));
    for (Widened& number : numbers) {
        // NOLINTNEXTLINE(bugprone-signed-char-misuse): small numbers, not characters
        number = static_cast<Widened>(m_cursor.read<Stored>());
    }
    return numbers;
}

std::vector<std::uint64_t> GgufValueReader::readBools(std::uint64_t count)
{
    m_cursor.requireItems(count, 1);
    std::vector<std::uint64_t> values(static_cast<std::size_t>(count));
    for (std::uint64_t& value : values) {
        value = readBool();
    }
    return values;
}

std::vector<std::string> GgufValueReader::readStrings(std::uint64_t count)
{
    m_cursor.requireItems(count, sizeof(std::uint64_t));
    std::vector<std::string> strings(static_cast<std::size_t>(count));
    for (std::string& text : strings) {
        text = m_cursor.readString(kLongestString);
    }
    return strings;
}

std::uint64_t GgufValueReader::readBool()
{
    const auto value = m_cursor.read<std::uint8_t>();
    if (value > 1) {
        m_cursor.throwDamaged(m_cursor.field() + " is neither true nor false");
    }
    return value;
}

} // namespace engine
