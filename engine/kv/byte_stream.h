#pragma once

#include "engine/error.h"

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace engine {

/// Appends numbers, arrays and texts to a growing buffer, little-endian as this machine has them.
class ByteWriter
{
public:
    template <typename T>
    requires std::is_trivially_copyable_v<T>
    void put(const T& value) { putBytes(std::as_bytes(std::span(&value, 1))); }

    template <typename T>
    requires std::is_trivially_copyable_v<T>
    void putArray(std::span<const T> values)
    {
        put(static_cast<std::uint64_t>(values.size()));
        putBytes(std::as_bytes(values));
    }

    /// Seven bits a byte, lowest first (LEB128).
    void putVarint(std::uint32_t value)
    {
        for (; value >= 0x80U; value >>= 7U)
            m_bytes.push_back(static_cast<std::byte>(value | 0x80U));
        m_bytes.push_back(static_cast<std::byte>(value));
    }

    void putText(std::string_view text) { putArray(std::span(text.data(), text.size())); }

    void putBytes(std::span<const std::byte> bytes)
    {
        m_bytes.insert(m_bytes.end(), bytes.begin(), bytes.end());
    }

    void reserve(std::size_t bytes) { m_bytes.reserve(bytes); }
    std::vector<std::byte> take() { return std::move(m_bytes); }
    std::size_t size() const { return m_bytes.size(); }

private:
    std::vector<std::byte> m_bytes;
};

/// Reads what ByteWriter wrote from bytes that may be anything: every length is compared with what
/// is left before memory is taken. Throws Error(Damaged) with the given name of the thing in the
/// sentence.
class ByteReader
{
public:
    ByteReader(std::span<const std::byte> bytes, std::string name)
        : m_rest(bytes)
        , m_name(std::move(name))
    {}

    template <typename T>
    requires std::is_trivially_copyable_v<T> T get(const char* field)
    {
        T value;
        std::memcpy(&value, getBytes(sizeof(T), field).data(), sizeof(T));
        return value;
    }

    template <typename T>
    requires std::is_trivially_copyable_v<T> std::vector<T> getArray(const char* field)
    {
        const auto count = get<std::uint64_t>(field);
        if (count > m_rest.size() / sizeof(T))
            fail(field);
        std::vector<T> values(count);
        const auto bytes = getBytes(count * sizeof(T), field);
        if (count != 0)
            std::memcpy(values.data(), bytes.data(), bytes.size());
        return values;
    }

    std::uint32_t getVarint(const char* field)
    {
        std::uint32_t value = 0;
        for (std::uint32_t shift = 0; shift < 32; shift += 7) {
            const auto byte = get<std::uint8_t>(field);
            value |= (byte & 0x7FU) << shift;
            if (byte < 0x80U)
                return value;
        }
        fail(field);
    }

    std::string getText(const char* field)
    {
        const std::vector<char> text = getArray<char>(field);
        return {text.begin(), text.end()};
    }

    std::span<const std::byte> getBytes(std::size_t count, const char* field)
    {
        if (count > m_rest.size())
            fail(field);
        const auto bytes = m_rest.first(count);
        m_rest = m_rest.subspan(count);
        return bytes;
    }

    void expectEnd()
    {
        if (!m_rest.empty())
            fail("end");
    }

    [[noreturn]] void fail(const char* field) const
    {
        throw Error(ErrorCode::Damaged,
                    m_name + " is damaged (" + field + "). Prepare the document again.");
    }

private:
    std::span<const std::byte> m_rest;
    std::string m_name;
};

} // namespace engine
