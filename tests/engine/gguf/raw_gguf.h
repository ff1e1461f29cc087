#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

/// Puts a GGUF file together byte by byte, right or wrong: the writer of the engine refuses to be
/// wrong.
class RawGguf
{
public:
    /// Magic, version, and the two counts as they are given.
    RawGguf(std::uint64_t tensors, std::uint64_t pairs, std::uint32_t version = 3,
            std::string_view magic = "GGUF");

    template <typename T>
    RawGguf& add(T value)
    {
        const auto bytes = std::as_bytes(std::span(&value, 1));
        m_bytes.insert(m_bytes.end(), bytes.begin(), bytes.end());
        return *this;
    }
    RawGguf& text(std::string_view text); // length and bytes
    RawGguf& raw(std::string_view text);  // bytes alone
    RawGguf& zeros(std::size_t count);
    RawGguf& align(std::size_t step);

    /// A key and the number of its type.
    RawGguf& key(std::string_view name, std::uint32_t type);
    RawGguf& tensor(std::string_view name, const std::vector<std::uint64_t>& shape,
                    std::uint32_t type, std::uint64_t offset);

    std::span<const std::byte> bytes() const { return m_bytes; }

private:
    std::vector<std::byte> m_bytes;
};

/// The sentence and detail with which the engine refuses `bytes`; "accepted" if it does not.
std::string refusalOf(std::span<const std::byte> bytes);

} // namespace tests
