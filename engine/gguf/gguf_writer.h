#pragma once

#include "engine/gguf/gguf_file.h"

namespace engine {

/// Writes a GGUF v3 file: metadata first, then tensors in the order added. For tools and tests.
class GgufWriter
{
public:
    void setUint32(const std::string& key, std::uint32_t value);
    void setFloat32(const std::string& key, float value);
    void setBool(const std::string& key, bool value);
    void setString(const std::string& key, const std::string& value);
    void setStrings(const std::string& key, std::span<const std::string> values);
    void setFloats(const std::string& key, std::span<const float> values);
    void setInts(const std::string& key, std::span<const std::int32_t> values);

    /// `shape` with ne[0] first; `data` is already in the layout of `type` (GGUF's number) and is
    /// copied.
    void addTensor(const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t type,
                   std::span<const std::byte> data);

    std::vector<std::byte> bytes() const;
    /// Throws Error(DiskFull or ReadOnly).
    void write(const std::filesystem::path& path) const;

private:
    std::vector<std::pair<std::string, std::vector<std::byte>>> m_metadata;
    struct Tensor
    {
        std::string name;
        std::vector<std::uint64_t> shape;
        std::uint32_t type = 0;
        std::vector<std::byte> data;
    };
    std::vector<Tensor> m_tensors;
};

} // namespace engine
