#include "engine/safetensors/safetensors_writer.h"

#include "engine/gguf/write_file.h"
#include "engine/safetensors/json_value.h"

#include <cstring>

namespace engine {

void SafetensorsWriter::setMetadata(const std::string& key, const std::string& value)
{
    m_metadata[key] = value;
}

void SafetensorsWriter::addTensor(const std::string& name, const std::string& type,
                                  const std::vector<std::uint64_t>& shape,
                                  std::span<const std::byte> data)
{
    std::string extents;
    for (const std::uint64_t extent : shape)
        extents += (extents.empty() ? "" : ",") + std::to_string(extent);
    m_entries += (m_entries.empty() ? "" : ",") + jsonString(name) + R"(:{"dtype":)" +
                 jsonString(type) + R"(,"shape":[)" + extents + R"(],"data_offsets":[)" +
                 std::to_string(m_data.size()) + "," + std::to_string(m_data.size() + data.size()) +
                 "]}";
    m_data.insert(m_data.end(), data.begin(), data.end());
}

std::vector<std::byte> SafetensorsWriter::bytes() const
{
    std::string header = "{";
    if (!m_metadata.empty()) {
        header += R"("__metadata__":{)";
        for (const auto& [key, value] : m_metadata)
            header += (header.back() == '{' ? "" : ",") + jsonString(key) + ":" + jsonString(value);
        header += m_entries.empty() ? "}" : "},";
    }
    header += m_entries + "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = header.size();
    std::vector<std::byte> out(sizeof(length));
    std::memcpy(out.data(), &length, sizeof(length));
    const auto text = std::as_bytes(std::span(header));
    out.insert(out.end(), text.begin(), text.end());
    out.insert(out.end(), m_data.begin(), m_data.end());
    return out;
}

void SafetensorsWriter::write(const std::filesystem::path& path) const
{
    writeFile(path, bytes());
}

} // namespace engine
