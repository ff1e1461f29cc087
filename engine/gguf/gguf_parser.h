#pragma once

#include "engine/gguf/gguf_file.h"

namespace engine {

/// Everything of a GGUF file but the weights themselves.
struct GgufContents
{
    std::map<std::string, GgufValue, std::less<>> metadata;
    std::vector<GgufTensor> tensors;
};

/// GGUF's numbers for the types of metadata values.
enum class GgufValueType : std::uint32_t
{
    Uint8 = 0,
    Int8 = 1,
    Uint16 = 2,
    Int16 = 3,
    Uint32 = 4,
    Int32 = 5,
    Float32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    Uint64 = 10,
    Int64 = 11,
    Float64 = 12
};

constexpr std::uint64_t kGgufDefaultAlignment = 32;

/// Reads header, metadata and tensor list of the file `name` whose whole content is `bytes`.
/// A number from the file is compared with what is left of the file before it decides over an
/// allocation, an offset or a product. Throws Error Damaged or Unsupported, naming the field.
GgufContents parseGguf(std::span<const std::byte> bytes, const std::string& name);

} // namespace engine
