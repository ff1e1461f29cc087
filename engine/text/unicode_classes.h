#pragma once

#include <array>
#include <cstdint>

namespace engine {

/// The classes of characters that pre-tokenizers tell apart.
enum class CharacterClass : std::uint8_t
{
    Other,
    Letter,      // general category L
    Number,      // N
    Punctuation, // P
    Space,       // property White_Space
    Mark         // M
};

/// Where a run of code points of one class begins: code point * 8 + class, ascending.
extern const std::array<std::uint32_t, 2054> kUnicodeRuns;

/// The class of a code point; values beyond Unicode are Other.
CharacterClass characterClass(char32_t codePoint);

} // namespace engine
