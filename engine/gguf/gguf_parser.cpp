#include "engine/gguf/gguf_parser.h"

#include "engine/gguf/gguf_cursor.h"
#include "engine/gguf/gguf_tensor_type.h"
#include "engine/gguf/gguf_value_reader.h"

#include <algorithm>
#include <bit>
#include <set>

namespace engine {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read without swapping bytes");

constexpr std::uint32_t kMagic = 0x46554747; // "GGUF"
constexpr std::uint32_t kOldestVersion = 2;
constexpr std::uint32_t kNewestVersion = 3;
constexpr std::uint64_t kSmallestPair = 14;   // 8 length, 1 name, 4 type, 1 value
constexpr std::uint64_t kSmallestTensor = 33; // 8 length, 1 name, 4 count, 8 dimension, 4 type, 8
constexpr std::uint64_t kLongestName = 65535;
constexpr std::uint32_t kMostDimensions = 4;
constexpr std::uint64_t kLargestDimension = 1ULL << 40U;
constexpr std::uint64_t kMostElements = 1ULL << 44U;
constexpr std::uint64_t kSmallestAlignment = 8;
constexpr std::uint64_t kLargestAlignment = 65536;
constexpr auto kUpdateHint = "It may need a newer version of this program, or another file.";

std::string inQuotes(const std::string& text)
{
    constexpr std::size_t kShown = 80;
    std::string shown;
    for (const char c : text.substr(0, kShown)) {
        const bool printable = c >= 0x20 && c < 0x7f;
        shown += printable ? c : '?';
    }
    return "\"" + shown + (text.size() > kShown ? "..." : "") + "\"";
}

class Parser
{
public:
    Parser(std::span<const std::byte> bytes, const std::string& name)
        : m_cursor(bytes, name)
        , m_values(m_cursor)
        , m_fileBytes(bytes.size())
    {}

    GgufContents parse();

private:
    void checkMagic();
    void checkVersion();
    std::string readName(const std::string& what);
    void readPair(std::uint64_t number);
    std::uint64_t alignment() const;
    GgufTensor readTensor(std::uint64_t number);
    void readShape(GgufTensor& tensor, const std::string& label);
    void measure(GgufTensor& tensor, const std::string& label) const;
    void placeTensors(std::uint64_t alignment);

    GgufCursor m_cursor;
    GgufValueReader m_values;
    std::uint64_t m_fileBytes;
    GgufContents m_contents;
};

GgufContents Parser::parse()
{
    checkMagic();
    checkVersion();
    m_cursor.setField("the number of tensors");
    const auto tensorCount = m_cursor.read<std::uint64_t>();
    m_cursor.requireItems(tensorCount, kSmallestTensor);
    m_cursor.setField("the number of metadata entries");
    const auto pairCount = m_cursor.read<std::uint64_t>();
    m_cursor.requireItems(pairCount, kSmallestPair);
    for (std::uint64_t i = 0; i < pairCount; ++i) {
        readPair(i);
    }
    const std::uint64_t step = alignment();
    std::set<std::string, std::less<>> names;
    for (std::uint64_t i = 0; i < tensorCount; ++i) {
        m_contents.tensors.push_back(readTensor(i));
        const std::string& name = m_contents.tensors.back().name;
        if (!names.insert(name).second) {
            m_cursor.throwDamaged("the tensor " + inQuotes(name) + " is listed twice");
        }
    }
    placeTensors(step);
    return std::move(m_contents);
}

void Parser::checkMagic()
{
    if (m_cursor.remaining() == 0) {
        m_cursor.throwDamaged("it is empty");
    }
    if (m_cursor.remaining() < sizeof(kMagic) || m_cursor.read<std::uint32_t>() != kMagic) {
        m_cursor.throwUnsupported(
            "is not a GGUF model file: it does not start with the letters GGUF",
            "Choose a file that ends in .gguf.");
    }
}

void Parser::checkVersion()
{
    m_cursor.setField("the format version");
    const auto version = m_cursor.read<std::uint32_t>();
    if (version >= kOldestVersion && version <= kNewestVersion) {
        return;
    }
    if ((version & 0xffffU) == 0 && version != 0) {
        m_cursor.throwUnsupported("was written for big-endian machines",
                                  "Choose a file of the usual, little-endian kind.");
    }
    m_cursor.throwUnsupported(
        "has GGUF version " + std::to_string(version) + "; this program reads versions 2 and 3",
        version < kOldestVersion ? "Download a newer conversion of the model." : kUpdateHint);
}

std::string Parser::readName(const std::string& what)
{
    m_cursor.setField("the name of " + what);
    std::string name = m_cursor.readString(kLongestName);
    if (name.empty()) {
        m_cursor.throwDamaged(m_cursor.field() + " is empty");
    }
    if (name.find('\0') != std::string::npos) {
        m_cursor.throwDamaged(m_cursor.field() + " has a zero byte in it");
    }
    return name;
}

void Parser::readPair(std::uint64_t number)
{
    const std::string key = readName("metadata entry " + std::to_string(number + 1));
    m_cursor.setField("the value of " + inQuotes(key));
    const auto type = m_cursor.read<std::uint32_t>();
    if (type > static_cast<std::uint32_t>(GgufValueType::Float64)) {
        m_cursor.throwDamaged(m_cursor.field() + " has the unknown type " + std::to_string(type));
    }
    // Checked on the type in the file: the widened value no longer shows it.
    if (key == "general.alignment" && type != static_cast<std::uint32_t>(GgufValueType::Uint32)) {
        m_cursor.throwDamaged("general.alignment is not a 32-bit unsigned number");
    }
    GgufValue value = m_values.read(static_cast<GgufValueType>(type));
    if (!m_contents.metadata.emplace(key, std::move(value)).second) {
        m_cursor.throwDamaged("the metadata entry " + inQuotes(key) + " is there twice");
    }
}

std::uint64_t Parser::alignment() const
{
    const auto found = m_contents.metadata.find("general.alignment");
    if (found == m_contents.metadata.end()) {
        return kGgufDefaultAlignment;
    }
    const std::uint64_t value = std::get<std::uint64_t>(found->second);
    if (!std::has_single_bit(value) || value < kSmallestAlignment || value > kLargestAlignment) {
        m_cursor.throwDamaged("general.alignment is " + std::to_string(value) +
                              ", not a power of two from 8 to 65536");
    }
    return value;
}

GgufTensor Parser::readTensor(std::uint64_t number)
{
    GgufTensor tensor;
    tensor.name = readName("tensor " + std::to_string(number + 1));
    const std::string label = "the tensor " + inQuotes(tensor.name);
    readShape(tensor, label);
    m_cursor.setField("the type of " + label);
    tensor.type = m_cursor.read<std::uint32_t>();
    measure(tensor, label);
    m_cursor.setField("the offset of " + label);
    tensor.offset = m_cursor.read<std::uint64_t>();
    return tensor;
}

void Parser::readShape(GgufTensor& tensor, const std::string& label)
{
    m_cursor.setField("the shape of " + label);
    const auto dimensions = m_cursor.read<std::uint32_t>();
    if (dimensions < 1 || dimensions > kMostDimensions) {
        m_cursor.throwDamaged(label + " has " + std::to_string(dimensions) +
                              " dimensions; 1 to 4 are possible");
    }
    for (std::uint32_t i = 0; i < dimensions; ++i) {
        const auto extent = m_cursor.read<std::uint64_t>();
        if (extent < 1 || extent > kLargestDimension) {
            m_cursor.throwDamaged("dimension " + std::to_string(i + 1) + " of " + label + " is " +
                                  std::to_string(extent));
        }
        tensor.shape.push_back(extent);
    }
}

/// Fills in the tensor's bytes; nothing here can wrap.
void Parser::measure(GgufTensor& tensor, const std::string& label) const
{
    const GgufTensorType* const type = findGgufTensorType(tensor.type);
    if (type == nullptr) {
        m_cursor.throwUnsupported("stores " + label + " with the unknown type number " +
                                      std::to_string(tensor.type),
                                  kUpdateHint);
    }
    std::uint64_t elements = 1;
    for (const std::uint64_t extent : tensor.shape) {
        if (__builtin_mul_overflow(elements, extent, &elements) || elements > kMostElements) {
            m_cursor.throwDamaged(label + " has more elements than any model");
        }
    }
    if (tensor.shape.front() % type->blockElements != 0) {
        m_cursor.throwDamaged(
            "the rows of " + label + " have " + std::to_string(tensor.shape.front()) +
            " elements, no multiple of the " + std::to_string(type->blockElements) +
            " in a block of type " + std::string(type->name));
    }
    // At most 2^44 / 1 * 292: far below 2^64.
    tensor.bytes = elements / type->blockElements * type->blockBytes;
}

/// Turns offsets within the data section into offsets within the file, once they are proved sound.
void Parser::placeTensors(std::uint64_t alignment)
{
    const std::uint64_t position = m_cursor.position();
    const std::uint64_t dataStart = (position + alignment - 1) / alignment * alignment;
    if (m_contents.tensors.empty()) {
        return;
    }
    m_cursor.setField("the data section");
    if (dataStart > m_fileBytes) {
        m_cursor.throwDamaged("it ends before the data of its tensors");
    }
    const std::uint64_t dataBytes = m_fileBytes - dataStart;
    std::uint64_t previousEnd = 0;
    for (GgufTensor& tensor : m_contents.tensors) {
        const std::string label = "the tensor " + inQuotes(tensor.name);
        if (tensor.offset % alignment != 0) {
            m_cursor.throwDamaged("the offset of " + label + " is no multiple of the alignment " +
                                  std::to_string(alignment));
        }
        if (tensor.offset < previousEnd) {
            m_cursor.throwDamaged("the offset of " + label + " lies inside the tensor before it");
        }
        if (tensor.bytes > dataBytes || tensor.offset > dataBytes - tensor.bytes) {
            m_cursor.throwDamaged("it is not complete, the data of " + label +
                                  " reaches beyond the end of the file");
        }
        previousEnd = tensor.offset + tensor.bytes;
        tensor.offset += dataStart;
    }
}

} // namespace

GgufContents parseGguf(std::span<const std::byte> bytes, const std::string& name)
{
    return Parser(bytes, name).parse();
}

} // namespace engine
