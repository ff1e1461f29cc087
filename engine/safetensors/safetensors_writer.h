#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace engine {

/// Writes a safetensors file with the tensors in the order added. For tools and tests.
class SafetensorsWriter
{
public:
    void setMetadata(const std::string& key, const std::string& value);
    /// `shape` outermost first; `data` is copied.
    void addTensor(const std::string& name, const std::string& type,
                   const std::vector<std::uint64_t>& shape, std::span<const std::byte> data);

    std::vector<std::byte> bytes() const;
    /// Throws Error(ReadOnly or DiskFull).
    void write(const std::filesystem::path& path) const;

private:
    std::map<std::string, std::string> m_metadata;
    std::string m_entries; // of the header, one JSON member after the other
    std::vector<std::byte> m_data;
};

} // namespace engine
