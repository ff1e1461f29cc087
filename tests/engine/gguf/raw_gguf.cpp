#include "tests/engine/gguf/raw_gguf.h"

#include "engine/gguf/gguf_file.h"

namespace tests {

RawGguf::RawGguf(std::uint64_t tensors, std::uint64_t pairs, std::uint32_t version,
                 std::string_view magic)
{
    raw(magic).add(version).add(tensors).add(pairs);
}

RawGguf& RawGguf::text(std::string_view text)
{
    return add(std::uint64_t{text.size()}).raw(text);
}

RawGguf& RawGguf::raw(std::string_view text)
{
    const auto bytes = std::as_bytes(std::span(text));
    m_bytes.insert(m_bytes.end(), bytes.begin(), bytes.end());
    return *this;
}

RawGguf& RawGguf::zeros(std::size_t count)
{
    m_bytes.resize(m_bytes.size() + count);
    return *this;
}

RawGguf& RawGguf::align(std::size_t step)
{
    m_bytes.resize((m_bytes.size() + step - 1) / step * step);
    return *this;
}

RawGguf& RawGguf::key(std::string_view name, std::uint32_t type)
{
    return text(name).add(type);
}

RawGguf& RawGguf::tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                         std::uint32_t type, std::uint64_t offset)
{
    text(name).add(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t extent : shape) {
        add(extent);
    }
    return add(type).add(offset);
}

std::string refusalOf(std::span<const std::byte> bytes)
{
    try {
        engine::GgufFile::parse(bytes, "model.gguf");
    } catch (const engine::Error& error) {
        return std::string(error.what()) + " | " + error.detail();
    }
    return "accepted";
}

} // namespace tests
