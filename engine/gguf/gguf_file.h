#pragma once

#include "engine/error.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace engine {

/// A metadata array. Numbers are widened; `elementType` keeps the type in the file (GGUF's
/// numbering).
struct GgufArray
{
    std::uint32_t elementType = 0;
    std::variant<std::vector<std::int64_t>, std::vector<std::uint64_t>, std::vector<double>,
                 std::vector<std::string>>
        values; // bool elements are in the uint64 vector
};

using GgufValue = std::variant<std::uint64_t, std::int64_t, double, bool, std::string, GgufArray>;

struct GgufTensor
{
    std::string name;
    std::vector<std::uint64_t> shape; // ne[0] first: the contiguous dimension
    std::uint32_t type =
        0; // GGUF's tensor type number; may be one the engine does not multiply with
    std::uint64_t offset = 0; // from the start of the file
    std::uint64_t bytes = 0;
};

/// A memory-mapped GGUF file, version 2 or 3, little-endian. Opening checks every count, length,
/// offset and product against the file's size before anything is allocated; errors are
/// ErrorCode::Damaged (or Unsupported) and name the field.
/// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufFile
{
public:
    /// Throws Error: NotFound, Damaged, Unsupported.
    static std::shared_ptr<const GgufFile> open(const std::filesystem::path& path);

    /// The same over bytes in memory that outlive the object (tests, fuzzing).
    static std::shared_ptr<const GgufFile> parse(std::span<const std::byte> bytes,
                                                 std::string name);

    virtual ~GgufFile() = default;

    const std::string& name() const { return m_name; }
    const std::map<std::string, GgufValue, std::less<>>& metadata() const { return m_metadata; }
    const std::vector<GgufTensor>& tensors() const { return m_tensors; }

    /// Null if there is none.
    const GgufTensor* findTensor(std::string_view name) const;
    std::span<const std::byte> data(const GgufTensor& tensor) const;

    /// The value of `key`; empty if the key is missing. Throws Damaged if it is there with another
    /// type (any integer type is accepted for uint and any number for number, when it fits).
    std::optional<std::uint64_t> findUint(std::string_view key) const;
    std::optional<double> findNumber(std::string_view key) const;
    std::optional<bool> findBool(std::string_view key) const;
    std::optional<std::string> findString(std::string_view key) const;
    const GgufArray* findArray(std::string_view key) const; // null if missing
    /// Throws Damaged, naming the key, if it is missing.
    std::uint64_t uintOf(std::string_view key) const;
    std::string stringOf(std::string_view key) const;

protected:
    GgufFile() = default;
    std::string m_name;
    std::span<const std::byte> m_bytes;
    std::map<std::string, GgufValue, std::less<>> m_metadata;
    std::vector<GgufTensor> m_tensors;
    std::map<std::string, std::size_t, std::less<>> m_tensorIndex;
};

} // namespace engine
