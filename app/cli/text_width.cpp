#include "app/cli/text_width.h"

#include "app/documents/utf8.h"

#include <algorithm>
#include <array>
#include <span>

namespace app {
namespace {

struct Range
{
    char32_t first = 0;
    char32_t last = 0;
};

// Combining marks and characters of no width of the scripts that titles are likely to have.
constexpr std::array kNarrow{Range{0x300, 0x36f},   Range{0x483, 0x489},   Range{0x591, 0x5bd},
                             Range{0x610, 0x61a},   Range{0x64b, 0x65f},   Range{0x200b, 0x200f},
                             Range{0x202a, 0x202e}, Range{0x2060, 0x2064}, Range{0x20d0, 0x20f0},
                             Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f}, Range{0xfeff, 0xfeff}};
// The blocks that Unicode's EastAsianWidth.txt has as wide.
constexpr std::array kWide{Range{0x1100, 0x115f},   Range{0x2e80, 0x303e},  Range{0x3041, 0xa4cf},
                           Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},  Range{0xfe30, 0xfe6f},
                           Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},  Range{0x1f300, 0x1f64f},
                           Range{0x1f900, 0x1f9ff}, Range{0x20000, 0x3fffd}};

bool isIn(std::span<const Range> ranges, char32_t character)
{
    return std::ranges::any_of(ranges, [character](const Range& range) {
        return character >= range.first && character <= range.last;
    });
}

} // namespace

std::size_t columnsOf(std::string_view text)
{
    std::size_t columns = 0;
    while (!text.empty()) {
        const DecodedCharacter character = decodeUtf8(text);
        if (isIn(kWide, character.codePoint))
            columns += 2;
        else if (!isIn(kNarrow, character.codePoint))
            ++columns;
        text.remove_prefix(std::max<std::size_t>(character.length, 1));
    }
    return columns;
}

std::string withoutControls(std::string_view text)
{
    std::string clean;
    while (!text.empty()) {
        const DecodedCharacter character = decodeUtf8(text);
        const std::size_t length = std::max<std::size_t>(character.length, 1);
        const char32_t code = character.codePoint;
        const bool isControl =
            character.length > 0 &&
            ((code < 0x20 && code != U'\n' && code != U'\t') || (code >= 0x7f && code < 0xa0));
        if (!isControl)
            clean += text.substr(0, length);
        text.remove_prefix(length);
    }
    return clean;
}

} // namespace app
