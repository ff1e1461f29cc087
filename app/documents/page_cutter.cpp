#include "app/documents/page_cutter.h"

#include <algorithm>
#include <array>

namespace app {

namespace {

constexpr auto kNone = std::string_view::npos;

bool isBlank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t';
}

std::size_t afterBlanks(std::string_view text, std::size_t at)
{
    while (at < text.size() && isBlank(text[at]))
        ++at;
    return at;
}

/// End of the last sentence in `window`: behind ".", "!" or "?", closing quotes and a blank.
std::size_t lastSentenceEnd(std::string_view window)
{
    for (std::size_t at = window.size(); at-- > 1;) {
        if (!isBlank(window[at]))
            continue;
        std::size_t end = at;
        while (end > 0 &&
               (static_cast<unsigned char>(window[end - 1]) >= 0x80 || window[end - 1] == '"' ||
                window[end - 1] == '\'' || window[end - 1] == ')'))
            --end;
        if (end > 0 && std::string_view(".!?").find(window[end - 1]) != kNone)
            return at;
    }
    return kNone;
}

/// Length of the first piece of `text`, which is longer than `pageBytes`.
std::size_t bestCut(std::string_view text, std::size_t pageBytes)
{
    const std::string_view window = text.substr(0, pageBytes);
    // A cut in the first half would leave a stub: then a weaker kind of end further down is better.
    const std::size_t half = window.size() / 2;
    const std::array<std::size_t, 4> candidates = {window.rfind("\n\n"), window.rfind('\n'),
                                                   lastSentenceEnd(window), window.rfind(' ')};
    for (const std::size_t candidate : candidates) {
        if (candidate != kNone && candidate >= half)
            return candidate;
    }
    std::size_t cut = window.size();
    while (cut > 1 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80)
        --cut;
    return cut;
}

} // namespace

std::vector<engine::ByteRange> cutIntoPages(std::string_view text, std::size_t pageBytes)
{
    std::vector<engine::ByteRange> pieces;
    std::size_t begin = 0;
    while (begin < text.size()) {
        std::size_t end = text.size();
        if (end - begin > pageBytes)
            end = afterBlanks(text, begin + bestCut(text.substr(begin), pageBytes));
        pieces.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
        begin = end;
    }
    return pieces;
}

} // namespace app
