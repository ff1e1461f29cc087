#include "engine/gguf/gguf_file.h"

#include "engine/gguf/gguf_parser.h"
#include "engine/gguf/mapped_file.h"

namespace engine {
namespace {

/// A parsed file and, if it came from the disk, the mapping its tensors lie in.
class LoadedGguf : public GgufFile
{
public:
    LoadedGguf(std::unique_ptr<const MappedFile> mapping, std::span<const std::byte> bytes,
               std::string name)
        : m_mapping(std::move(mapping))
    {
        m_name = std::move(name);
        m_bytes = bytes;
        GgufContents contents = parseGguf(m_bytes, m_name);
        m_metadata = std::move(contents.metadata);
        m_tensors = std::move(contents.tensors);
        for (std::size_t i = 0; i < m_tensors.size(); ++i) {
            m_tensorIndex.emplace(m_tensors[i].name, i);
        }
    }

private:
    std::unique_ptr<const MappedFile> m_mapping;
};

[[noreturn]] void throwWrongType(const std::string& file, std::string_view key,
                                 std::string_view wanted)
{
    throw Error(ErrorCode::Damaged, file + " is damaged: the metadata entry " + std::string(key) +
                                        " is not " + std::string(wanted) +
                                        ". Download or copy the file again.");
}

[[noreturn]] void throwMissing(const std::string& file, std::string_view key)
{
    throw Error(ErrorCode::Damaged, file + " is damaged: the metadata entry " + std::string(key) +
                                        " is missing. Choose another conversion of the model.");
}

} // namespace

std::shared_ptr<const GgufFile> GgufFile::open(const std::filesystem::path& path)
{
    auto mapping = std::make_unique<const MappedFile>(path);
    const std::span<const std::byte> bytes = mapping->bytes();
    return std::make_shared<const LoadedGguf>(std::move(mapping), bytes, path.filename().string());
}

std::shared_ptr<const GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string name)
{
    return std::make_shared<const LoadedGguf>(nullptr, bytes, std::move(name));
}

const GgufTensor* GgufFile::findTensor(std::string_view name) const
{
    const auto found = m_tensorIndex.find(name);
    return found == m_tensorIndex.end() ? nullptr : &m_tensors[found->second];
}

std::span<const std::byte> GgufFile::data(const GgufTensor& tensor) const
{
    if (tensor.bytes > m_bytes.size() || tensor.offset > m_bytes.size() - tensor.bytes) {
        throw Error(ErrorCode::BadInput,
                    "The tensor " + tensor.name + " does not belong to " + m_name + ".");
    }
    return m_bytes.subspan(static_cast<std::size_t>(tensor.offset),
                           static_cast<std::size_t>(tensor.bytes));
}

std::optional<std::uint64_t> GgufFile::findUint(std::string_view key) const
{
    const auto found = m_metadata.find(key);
    if (found == m_metadata.end()) {
        return std::nullopt;
    }
    if (const auto* value = std::get_if<std::uint64_t>(&found->second)) {
        return *value;
    }
    if (const auto* value = std::get_if<std::int64_t>(&found->second); value && *value >= 0) {
        return static_cast<std::uint64_t>(*value);
    }
    throwWrongType(m_name, key, "a whole number from 0 up");
}

std::optional<double> GgufFile::findNumber(std::string_view key) const
{
    const auto found = m_metadata.find(key);
    if (found == m_metadata.end()) {
        return std::nullopt;
    }
    if (const auto* value = std::get_if<double>(&found->second)) {
        return *value;
    }
    if (const auto* value = std::get_if<std::uint64_t>(&found->second)) {
        return static_cast<double>(*value);
    }
    if (const auto* value = std::get_if<std::int64_t>(&found->second)) {
        return static_cast<double>(*value);
    }
    throwWrongType(m_name, key, "a number");
}

std::optional<bool> GgufFile::findBool(std::string_view key) const
{
    const auto found = m_metadata.find(key);
    if (found == m_metadata.end()) {
        return std::nullopt;
    }
    if (const auto* value = std::get_if<bool>(&found->second)) {
        return *value;
    }
    throwWrongType(m_name, key, "true or false");
}

std::optional<std::string> GgufFile::findString(std::string_view key) const
{
    const auto found = m_metadata.find(key);
    if (found == m_metadata.end()) {
        return std::nullopt;
    }
    if (const auto* value = std::get_if<std::string>(&found->second)) {
        return *value;
    }
    throwWrongType(m_name, key, "a text");
}

const GgufArray* GgufFile::findArray(std::string_view key) const
{
    const auto found = m_metadata.find(key);
    if (found == m_metadata.end()) {
        return nullptr;
    }
    if (const auto* value = std::get_if<GgufArray>(&found->second)) {
        return value;
    }
    throwWrongType(m_name, key, "a list");
}

std::uint64_t GgufFile::uintOf(std::string_view key) const
{
    const auto value = findUint(key);
    if (!value) {
        throwMissing(m_name, key);
    }
    return *value;
}

std::string GgufFile::stringOf(std::string_view key) const
{
    auto value = findString(key);
    if (!value) {
        throwMissing(m_name, key);
    }
    return std::move(*value);
}

} // namespace engine
