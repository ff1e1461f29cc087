#include "app/documents/pdf_lines.h"

#include "app/documents/utf8.h"

#include <algorithm>
#include <cmath>

namespace app {

namespace {

// Shares of the line height. They separate what typesetters do by a wide margin: a superscript
// overlaps its line by a third, letters of a footnote are smaller by a fifth or more.
constexpr float kSameLineOverlap = 0.25F;
constexpr float kJoinedGap = 0.25F;
constexpr float kNearbyStart = 3;
constexpr float kSizeChange = 0.2F;
constexpr std::size_t kColumnLines = 4; // fewer lines below each other are no column

float median(std::vector<float> values)
{
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

float verticalOverlap(const PrintedWord& a, const PrintedWord& b)
{
    const float overlap = std::min(a.bottom(), b.bottom()) - std::max(a.y, b.y);
    return overlap / std::max(std::min(a.height, b.height), 0.01F);
}

bool continuesLine(const PrintedWord& previous, const PrintedWord& word)
{
    if (previous.spaceAfter)
        return true;
    const float gap = word.x - previous.right();
    return verticalOverlap(previous, word) > kSameLineOverlap &&
           std::abs(gap) < kJoinedGap * std::max(previous.height, word.height);
}

PrintedLine measureLine(std::span<const PrintedWord> words, std::size_t first, std::size_t end)
{
    PrintedLine line{
        .first = first, .end = end, .left = words[first].x, .right = words[first].right()};
    std::vector<float> bottoms;
    std::vector<float> heights;
    for (const PrintedWord& word : words.subspan(first, end - first)) {
        line.left = std::min(line.left, word.x);
        line.right = std::max(line.right, word.right());
        bottoms.push_back(word.bottom());
        heights.push_back(word.height);
    }
    line.bottom = median(std::move(bottoms));
    line.height = std::max(median(std::move(heights)), 0.01F);
    return line;
}

/// Lines [first, end) that follow each other downwards.
struct Block
{
    std::size_t first = 0;
    std::size_t end = 0;
    float left = 0;
    float right = 0;
    float top = 0;
    float bottom = 0;

    bool isColumn() const { return end - first >= kColumnLines; }
};

std::vector<Block> findBlocks(const std::vector<PrintedLine>& lines)
{
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const PrintedLine& line = lines[i];
        const bool continues =
            i > 0 && shareColumn(lines[i - 1], line) && line.bottom > lines[i - 1].bottom;
        if (!continues)
            blocks.push_back({i, i, line.left, line.right, line.bottom - line.height, line.bottom});
        Block& block = blocks.back();
        block.end = i + 1;
        block.left = std::min(block.left, line.left);
        block.right = std::max(block.right, line.right);
        block.bottom = line.bottom;
    }
    return blocks;
}

bool standsLeftOf(const Block& a, const Block& b)
{
    const float shared = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
    return a.isColumn() && b.isColumn() && a.right < b.left &&
           shared > 0.5F * std::min(a.bottom - a.top, b.bottom - b.top);
}

bool isWrittenFromTheRight(std::span<const PrintedWord> words)
{
    const auto fromTheRight = std::ranges::count_if(words, [](const PrintedWord& word) {
        const char32_t first = decodeUtf8(word.text).codePoint;
        return (first >= 0x590 && first <= 0x8ff) || (first >= 0xfb1d && first <= 0xfefc);
    });
    return static_cast<std::size_t>(fromTheRight) * 2 > words.size();
}

} // namespace

bool overlapSideways(const PrintedLine& a, const PrintedLine& b)
{
    const float overlap = std::min(a.right, b.right) - std::max(a.left, b.left);
    return overlap > 0.5F * std::min(a.right - a.left, b.right - b.left);
}

bool shareColumn(const PrintedLine& a, const PrintedLine& b)
{
    return overlapSideways(a, b) ||
           std::abs(a.left - b.left) < kNearbyStart * std::max(a.height, b.height);
}

bool differInSize(const PrintedLine& a, const PrintedLine& b)
{
    return std::abs(a.height - b.height) > kSizeChange * std::max(a.height, b.height);
}

std::vector<PrintedLine> findLines(std::span<const PrintedWord> words)
{
    std::vector<PrintedLine> lines;
    std::size_t first = 0;
    for (std::size_t i = 1; i <= words.size(); ++i) {
        if (i < words.size() && continuesLine(words[i - 1], words[i]))
            continue;
        lines.push_back(measureLine(words, first, i));
        first = i;
    }
    return lines;
}

float usualPitch(const std::vector<PrintedLine>& lines)
{
    std::vector<float> steps;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const float step = lines[i].bottom - lines[i - 1].bottom;
        if (overlapSideways(lines[i - 1], lines[i]) && step > 0.5F * lines[i].height &&
            step < 3 * lines[i].height)
            steps.push_back(step);
    }
    return steps.empty() ? 0 : median(std::move(steps));
}

std::vector<PrintedWord> inColumnOrder(std::vector<PrintedWord> words)
{
    const std::vector<PrintedLine> lines = findLines(words);
    std::vector<Block> blocks = findBlocks(lines);
    bool moved = false;
    for (std::size_t later = 1; later < blocks.size(); ++later) {
        const auto begin = blocks.begin();
        const auto end = begin + static_cast<std::ptrdiff_t>(later);
        const auto target =
            std::find_if(begin, end, [&](const Block& block) { return standsLeftOf(*end, block); });
        if (target != end) {
            std::rotate(target, end, end + 1);
            moved = true;
        }
    }
    if (!moved || isWrittenFromTheRight(words))
        return words;
    std::vector<PrintedWord> ordered;
    ordered.reserve(words.size());
    for (const Block& block : blocks) {
        for (std::size_t line = block.first; line < block.end; ++line) {
            for (std::size_t word = lines[line].first; word < lines[line].end; ++word)
                ordered.push_back(std::move(words[word]));
        }
    }
    return ordered;
}

} // namespace app
