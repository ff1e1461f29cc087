#pragma once

#include "engine/error.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace engine {

/// Walks over the bytes of a GGUF file and never beyond their end.
class GgufCursor
{
public:
    GgufCursor(std::span<const std::byte> bytes, const std::string& fileName)
        : m_bytes(bytes)
        , m_fileName(fileName)
    {}

    std::size_t position() const { return m_position; }
    std::size_t remaining() const { return m_bytes.size() - m_position; }

    /// What is being read now, for error sentences: "the value of general.name".
    void setField(std::string field) { m_field = std::move(field); }

    template <typename T>
    T read()
    {
        T value;
        require(sizeof(T));
        std::memcpy(&value, m_bytes.data() + m_position, sizeof(T));
        m_position += sizeof(T);
        return value;
    }

    /// A 64-bit length and that many bytes, at most `limit`.
    std::string readString(std::uint64_t limit)
    {
        const auto length = read<std::uint64_t>();
        if (length > remaining()) {
            throwCutOff();
        }
        if (length > limit) {
            throwDamaged(m_field + " has " + std::to_string(length) + " bytes where at most " +
                         std::to_string(limit) + " are allowed");
        }
        std::string text(reinterpret_cast<const char*>(m_bytes.data() + m_position),
                         static_cast<std::size_t>(length));
        m_position += text.size();
        return text;
    }

    /// `count` items of at least `itemBytes` each must fit into the rest of the file.
    void requireItems(std::uint64_t count, std::uint64_t itemBytes) const
    {
        if (count > remaining() / itemBytes) {
            throwDamaged(m_field + " is " + std::to_string(count) +
                         ", more than the file has room for");
        }
    }

    const std::string& field() const { return m_field; }

    [[noreturn]] void throwDamaged(const std::string& reason) const
    {
        throw Error(ErrorCode::Damaged,
                    m_fileName + " is damaged: " + reason + ". Download or copy the file again.",
                    where());
    }

    [[noreturn]] void throwUnsupported(const std::string& reason, const std::string& wayOut) const
    {
        throw Error(ErrorCode::Unsupported, m_fileName + " " + reason + ". " + wayOut, where());
    }

private:
    void require(std::size_t count) const
    {
        if (count > remaining()) {
            throwCutOff();
        }
    }

    [[noreturn]] void throwCutOff() const
    {
        throwDamaged(m_field + " reaches beyond the end of the file");
    }

    std::string where() const
    {
        return m_field + ", before byte " + std::to_string(m_position) + " of " +
               std::to_string(m_bytes.size());
    }

    std::span<const std::byte> m_bytes;
    const std::string& m_fileName;
    std::size_t m_position = 0;
    std::string m_field = "the header";
};

} // namespace engine
