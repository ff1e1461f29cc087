#pragma once

#include <cstdint>
#include <string_view>

namespace engine {

/// How many elements share one block of a GGUF tensor type, and the block's bytes.
struct GgufTensorType
{
    std::uint32_t number = 0;
    std::string_view name;
    std::uint32_t blockElements = 1;
    std::uint32_t blockBytes = 1;
};

/// Null if the number belongs to no type of the format (or to one that was withdrawn).
const GgufTensorType* findGgufTensorType(std::uint32_t number);

} // namespace engine
