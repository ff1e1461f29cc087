#include "engine/gguf/gguf_writer.h"

#include "engine/gguf/gguf_parser.h"
#include "engine/gguf/write_file.h"

#include <type_traits>

namespace engine {
namespace {

constexpr std::uint32_t kVersion = 3;

using Bytes = std::vector<std::byte>;

void appendBytes(Bytes& out, std::span<const std::byte> bytes)
{
    out.insert(out.end(), bytes.begin(), bytes.end());
}

template <typename T>
void append(Bytes& out, T value)
{
    static_assert(std::is_arithmetic_v<T>);
    appendBytes(out, std::as_bytes(std::span(&value, 1)));
}

void appendType(Bytes& out, GgufValueType type)
{
    append(out, static_cast<std::uint32_t>(type));
}

void appendText(Bytes& out, std::string_view text)
{
    append(out, std::uint64_t{text.size()});
    appendBytes(out, std::as_bytes(std::span(text)));
}

Bytes arrayHeader(GgufValueType element, std::size_t count)
{
    Bytes out;
    appendType(out, GgufValueType::Array);
    appendType(out, element);
    append(out, std::uint64_t{count});
    return out;
}

std::uint64_t aligned(std::uint64_t offset)
{
    return (offset + kGgufDefaultAlignment - 1) / kGgufDefaultAlignment * kGgufDefaultAlignment;
}

/// A key given twice keeps the last value: GGUF allows each key once.
void put(std::vector<std::pair<std::string, Bytes>>& metadata, const std::string& key, Bytes value)
{
    for (auto& [existing, bytes] : metadata) {
        if (existing == key) {
            bytes = std::move(value);
            return;
        }
    }
    metadata.emplace_back(key, std::move(value));
}

} // namespace

void GgufWriter::setUint32(const std::string& key, std::uint32_t value)
{
    Bytes out;
    appendType(out, GgufValueType::Uint32);
    append(out, value);
    put(m_metadata, key, std::move(out));
}

void GgufWriter::setFloat32(const std::string& key, float value)
{
    Bytes out;
    appendType(out, GgufValueType::Float32);
    append(out, value);
    put(m_metadata, key, std::move(out));
}

void GgufWriter::setBool(const std::string& key, bool value)
{
    Bytes out;
    appendType(out, GgufValueType::Bool);
    append(out, static_cast<std::uint8_t>(value ? 1 : 0));
    put(m_metadata, key, std::move(out));
}

void GgufWriter::setString(const std::string& key, const std::string& value)
{
    Bytes out;
    appendType(out, GgufValueType::String);
    appendText(out, value);
    put(m_metadata, key, std::move(out));
}

void GgufWriter::setStrings(const std::string& key, std::span<const std::string> values)
{
    Bytes out = arrayHeader(GgufValueType::String, values.size());
    for (const std::string& value : values) {
        appendText(out, value);
    }
    put(m_metadata, key, std::move(out));
}

void GgufWriter::setFloats(const std::string& key, std::span<const float> values)
{
    Bytes out = arrayHeader(GgufValueType::Float32, values.size());
    appendBytes(out, std::as_bytes(values));
    put(m_metadata, key, std::move(out));
}

void GgufWriter::setInts(const std::string& key, std::span<const std::int32_t> values)
{
    Bytes out = arrayHeader(GgufValueType::Int32, values.size());
    appendBytes(out, std::as_bytes(values));
    put(m_metadata, key, std::move(out));
}

void GgufWriter::addTensor(const std::string& name, std::vector<std::uint64_t> shape,
                           std::uint32_t type, std::span<const std::byte> data)
{
    m_tensors.push_back({name, std::move(shape), type, Bytes(data.begin(), data.end())});
}

std::vector<std::byte> GgufWriter::bytes() const
{
    Bytes out;
    appendBytes(out, std::as_bytes(std::span("GGUF", 4)));
    append(out, kVersion);
    append(out, std::uint64_t{m_tensors.size()});
    append(out, std::uint64_t{m_metadata.size()});
    for (const auto& [key, value] : m_metadata) {
        appendText(out, key);
        appendBytes(out, value);
    }
    std::uint64_t offset = 0;
    for (const Tensor& tensor : m_tensors) {
        appendText(out, tensor.name);
        append(out, static_cast<std::uint32_t>(tensor.shape.size()));
        for (const std::uint64_t extent : tensor.shape) {
            append(out, extent);
        }
        append(out, tensor.type);
        append(out, offset);
        offset = aligned(offset + tensor.data.size());
    }
    for (const Tensor& tensor : m_tensors) {
        out.resize(static_cast<std::size_t>(aligned(out.size())));
        appendBytes(out, tensor.data);
    }
    out.resize(static_cast<std::size_t>(aligned(out.size())));
    return out;
}

void GgufWriter::write(const std::filesystem::path& path) const
{
    writeFile(path, bytes());
}

} // namespace engine
