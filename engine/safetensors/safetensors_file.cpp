#include "engine/safetensors/safetensors_file.h"

#include "engine/error.h"
#include "engine/gguf/mapped_file.h"
#include "engine/safetensors/json_value.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace engine {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeader = 100'000'000; // the format's own limit
constexpr std::size_t kMaxDimensions = 8;
constexpr std::uint64_t kMaxElements = 1ULL << 44U;
constexpr const char* kMetadata = "__metadata__";

struct ElementType
{
    std::string_view name;
    std::uint64_t bytes;
};

constexpr std::array kElementTypes{
    ElementType{"F32", 4},     ElementType{"F16", 2},     ElementType{"BF16", 2},
    ElementType{"F64", 8},     ElementType{"I64", 8},     ElementType{"I32", 4},
    ElementType{"I16", 2},     ElementType{"I8", 1},      ElementType{"U64", 8},
    ElementType{"U32", 4},     ElementType{"U16", 2},     ElementType{"U8", 1},
    ElementType{"F8_E5M2", 1}, ElementType{"F8_E4M3", 1}, ElementType{"BOOL", 1}};

class MappedSafetensors final : public SafetensorsFile
{
public:
    MappedSafetensors(std::unique_ptr<const MappedFile> mapping, std::span<const std::byte> bytes,
                      std::string name)
        : SafetensorsFile(bytes, std::move(name))
        , m_mapping(std::move(mapping))
    {}

private:
    std::unique_ptr<const MappedFile> m_mapping;
};

[[noreturn]] void failDamaged(const std::string& file, const std::string& reason)
{
    throw Error(ErrorCode::Damaged,
                file + " is damaged: " + reason + ". Download or copy the file again.");
}

/// Reads the entries of a header one by one; every error names the tensor and its field.
class HeaderReader
{
public:
    HeaderReader(const std::string& file, std::uint64_t dataBegin, std::uint64_t dataBytes)
        : m_file(file)
        , m_dataBegin(dataBegin)
        , m_dataBytes(dataBytes)
    {}

    SafetensorsTensor readTensor(const std::string& name, const JsonValue& entry)
    {
        m_tensor = name;
        const JsonValue::Object* fields = entry.object();
        if (fields == nullptr || fields->size() != 3)
            fail("is not an object of dtype, shape and data_offsets");
        SafetensorsTensor tensor;
        tensor.name = name;
        const std::uint64_t elementBytes = readType(entry, tensor);
        const std::uint64_t elements = readShape(entry, tensor);
        readOffsets(entry, tensor);
        if (tensor.bytes != elements * elementBytes) {
            fail("has data_offsets of " + std::to_string(tensor.bytes) +
                 " bytes, but its shape and dtype need " + std::to_string(elements * elementBytes));
        }
        return tensor;
    }

private:
    [[noreturn]] void fail(const std::string& reason) const
    {
        failDamaged(m_file, "the tensor " + m_tensor + " " + reason);
    }

    std::uint64_t readType(const JsonValue& entry, SafetensorsTensor& tensor) const
    {
        const JsonValue* type = entry.find("dtype");
        if (type == nullptr || type->text() == nullptr)
            fail("has no dtype");
        tensor.type = *type->text();
        const auto known = std::ranges::find(kElementTypes, tensor.type, &ElementType::name);
        if (known == kElementTypes.end()) {
            throw Error(ErrorCode::Unsupported,
                        m_file + " stores the tensor " + m_tensor + " as dtype " +
                            jsonString(tensor.type) +
                            ", which Epitome does not know. Choose a file of F32, F16 or BF16.");
        }
        return known->bytes;
    }

    std::uint64_t readShape(const JsonValue& entry, SafetensorsTensor& tensor) const
    {
        const JsonValue* shape = entry.find("shape");
        if (shape == nullptr || shape->array() == nullptr ||
            shape->array()->size() > kMaxDimensions)
            fail("has no shape of at most " + std::to_string(kMaxDimensions) + " dimensions");
        std::uint64_t elements = 1;
        for (const JsonValue& each : *shape->array()) {
            const std::uint64_t* extent = each.whole();
            if (extent == nullptr)
                fail("has a shape with something else than whole numbers");
            // With an extent of 0 the others still have to be sane numbers.
            if (*extent > kMaxElements || (*extent != 0 && elements > kMaxElements / *extent))
                fail("has a shape of more than 2^44 elements");
            elements *= *extent;
            tensor.shape.push_back(*extent);
        }
        return elements;
    }

    void readOffsets(const JsonValue& entry, SafetensorsTensor& tensor) const
    {
        const JsonValue* offsets = entry.find("data_offsets");
        if (offsets == nullptr || offsets->array() == nullptr || offsets->array()->size() != 2 ||
            offsets->array()->front().whole() == nullptr ||
            offsets->array()->back().whole() == nullptr)
            fail("has no data_offsets of two whole numbers");
        const std::uint64_t begin = *offsets->array()->front().whole();
        const std::uint64_t end = *offsets->array()->back().whole();
        if (begin > end || end > m_dataBytes)
            fail("has data_offsets outside the file");
        tensor.offset = m_dataBegin + begin;
        tensor.bytes = end - begin;
    }

    const std::string& m_file;
    std::uint64_t m_dataBegin;
    std::uint64_t m_dataBytes;
    std::string m_tensor;
};

std::map<std::string, std::string, std::less<>> readMetadata(const std::string& file,
                                                             const JsonValue& entry)
{
    if (entry.object() == nullptr)
        failDamaged(file, std::string(kMetadata) + " is not an object");
    std::map<std::string, std::string, std::less<>> metadata;
    for (const auto& [key, value] : *entry.object()) {
        if (value.text() == nullptr)
            failDamaged(file, std::string(kMetadata) + " has " + jsonString(key) +
                                  ", which is not a text");
        metadata.emplace(key, *value.text());
    }
    return metadata;
}

/// The tensors, in the order of their bytes, must fill [begin, end) exactly.
void checkCoverage(const std::string& file, const std::vector<SafetensorsTensor>& tensors,
                   std::uint64_t begin, std::uint64_t end)
{
    std::uint64_t next = begin;
    for (const SafetensorsTensor& tensor : tensors) {
        if (tensor.offset != next) {
            failDamaged(file, "the tensor " + tensor.name +
                                  (tensor.offset < next ? " overlaps the one before it"
                                                        : " leaves a gap in front of it"));
        }
        next += tensor.bytes;
    }
    if (next != end)
        failDamaged(file,
                    std::to_string(end - next) + " bytes behind the last tensor belong to none");
}

} // namespace

SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, std::string name)
    : m_name(std::move(name))
    , m_bytes(bytes)
{
    std::uint64_t length = 0;
    if (bytes.size() < kLengthBytes)
        failDamaged(m_name, "it is too short for the length of a header");
    std::memcpy(&length, bytes.data(), kLengthBytes);
    if (length > kMaxHeader || length > bytes.size() - kLengthBytes) {
        failDamaged(m_name, "the header's length is " + std::to_string(length) + " where at most " +
                                std::to_string(std::min<std::uint64_t>(
                                    kMaxHeader, bytes.size() - kLengthBytes)) +
                                " bytes are possible");
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
                                static_cast<std::size_t>(length));
    if (!text.starts_with('{'))
        failDamaged(m_name, "the header does not begin with '{'");
    const JsonValue header = parseJson(text, m_name);
    const std::uint64_t dataBegin = kLengthBytes + length;
    HeaderReader reader(m_name, dataBegin, bytes.size() - dataBegin);
    for (const auto& [key, entry] : *header.object()) {
        if (key == kMetadata)
            m_metadata = readMetadata(m_name, entry);
        else
            m_tensors.push_back(reader.readTensor(key, entry));
    }
    std::ranges::sort(m_tensors, [](const SafetensorsTensor& a, const SafetensorsTensor& b) {
        // Empty tensors stand where the next one begins.
        return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
    });
    checkCoverage(m_name, m_tensors, dataBegin, bytes.size());
    for (std::size_t i = 0; i < m_tensors.size(); ++i)
        m_index.emplace(m_tensors[i].name, i);
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path)
{
    auto mapping = std::make_unique<const MappedFile>(path);
    const std::span<const std::byte> bytes = mapping->bytes();
    return std::make_shared<const MappedSafetensors>(std::move(mapping), bytes,
                                                     path.filename().string());
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes,
                                                              std::string name)
{
    return std::make_shared<const MappedSafetensors>(nullptr, bytes, std::move(name));
}

const SafetensorsTensor* SafetensorsFile::findTensor(std::string_view name) const
{
    const auto found = m_index.find(name);
    return found == m_index.end() ? nullptr : &m_tensors[found->second];
}

std::span<const std::byte> SafetensorsFile::data(const SafetensorsTensor& tensor) const
{
    return m_bytes.subspan(static_cast<std::size_t>(tensor.offset),
                           static_cast<std::size_t>(tensor.bytes));
}

} // namespace engine
