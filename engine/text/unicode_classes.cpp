#include "engine/text/unicode_classes.h"

#include <algorithm>
#include <vector>

namespace engine {
namespace {

constexpr char32_t kPlaneSize = 0x10000;
constexpr std::uint32_t kClassBits = 3;
constexpr std::uint32_t kClassMask = 7;

CharacterClass searchRuns(char32_t codePoint)
{
    const std::uint32_t last = static_cast<std::uint32_t>(codePoint) << kClassBits | kClassMask;
    const auto after = std::ranges::upper_bound(kUnicodeRuns, last);
    return static_cast<CharacterClass>(*(after - 1) & kClassMask);
}

/// The first plane as one table: nearly all text lies in it and is classified several times.
std::vector<CharacterClass> expandFirstPlane()
{
    std::vector<CharacterClass> classes(kPlaneSize);
    for (char32_t codePoint = 0; codePoint < kPlaneSize; ++codePoint) {
        classes[codePoint] = searchRuns(codePoint);
    }
    return classes;
}

} // namespace

CharacterClass characterClass(char32_t codePoint)
{
    static const std::vector<CharacterClass> kFirstPlane = expandFirstPlane();
    if (codePoint < kPlaneSize) {
        return kFirstPlane[codePoint];
    }
    constexpr char32_t kLastCodePoint = 0x10ffff;
    return codePoint <= kLastCodePoint ? searchRuns(codePoint) : CharacterClass::Other;
}

} // namespace engine
