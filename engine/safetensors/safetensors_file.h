#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

struct SafetensorsTensor
{
    std::string name;
    std::string type;                 // as in the file: "F32", "F16", "BF16", "I64", ...
    std::vector<std::uint64_t> shape; // outermost first; the last dimension is contiguous
    std::uint64_t offset = 0;         // from the start of the file
    std::uint64_t bytes = 0;
};

/// A memory-mapped safetensors file: a u64 with the length of a JSON header, the header, and the
/// tensors' bytes without gaps or overlaps. Opening checks every length, offset and product against
/// the file's size; errors are Damaged (or Unsupported for an unknown type) and name the tensor and
/// field. https://github.com/huggingface/safetensors#format
class SafetensorsFile
{
public:
    /// Throws Error: NotFound, Damaged, Unsupported.
    static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);

    /// The same over bytes in memory that outlive the object (tests, fuzzing).
    static std::shared_ptr<const SafetensorsFile> parse(std::span<const std::byte> bytes,
                                                        std::string name);

    virtual ~SafetensorsFile() = default;

    const std::string& name() const { return m_name; }
    /// In the order of their bytes.
    const std::vector<SafetensorsTensor>& tensors() const { return m_tensors; }
    /// What the header has as "__metadata__".
    const std::map<std::string, std::string, std::less<>>& metadata() const { return m_metadata; }

    /// Null if there is none.
    const SafetensorsTensor* findTensor(std::string_view name) const;
    std::span<const std::byte> data(const SafetensorsTensor& tensor) const;

protected:
    SafetensorsFile(std::span<const std::byte> bytes, std::string name);

private:
    std::string m_name;
    std::span<const std::byte> m_bytes;
    std::vector<SafetensorsTensor> m_tensors;
    std::map<std::string, std::string, std::less<>> m_metadata;
    std::map<std::string, std::size_t, std::less<>> m_index;
};

/// The tensors of one file, or of a folder with "model.safetensors.index.json" and the files it
/// names, or of a folder with a single file.
class SafetensorsSet
{
public:
    /// Throws Error: NotFound, Damaged, Unsupported, and Damaged when the index and the files
    /// contradict each other.
    static SafetensorsSet open(const std::filesystem::path& path);

    struct Entry
    {
        std::shared_ptr<const SafetensorsFile> file;
        const SafetensorsTensor* tensor = nullptr;
    };
    const std::string& name() const { return m_name; }
    /// By the tensors' names.
    const std::map<std::string, Entry, std::less<>>& entries() const { return m_entries; }
    /// Null if there is none.
    const Entry* find(std::string_view name) const;
    /// "__metadata__" of the only file; empty when there are several.
    std::map<std::string, std::string, std::less<>> metadata;

private:
    void addFile(const std::shared_ptr<const SafetensorsFile>& file);
    void addShards(const std::filesystem::path& folder, const std::filesystem::path& index);

    std::string m_name;
    std::map<std::string, Entry, std::less<>> m_entries;
};

/// The text of a small file such as config.json. Throws NotFound, or TooLarge above 64 MiB.
std::string readSmallFile(const std::filesystem::path& path);

} // namespace engine
