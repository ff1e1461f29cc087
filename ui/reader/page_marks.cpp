#include "ui/reader/page_marks.h"

#include <algorithm>
#include <cmath>

namespace ui {
namespace {

QRectF boxOf(const app::ImportedWord& word)
{
    return {word.x, word.y, word.width, word.height};
}

bool sameLine(const QRectF& a, const QRectF& b)
{
    const qreal overlap = std::min(a.bottom(), b.bottom()) - std::max(a.top(), b.top());
    const bool follows = b.left() >= a.left() && b.left() - a.right() < 2 * a.height();
    return follows && overlap > 0.5 * std::min(a.height(), b.height());
}

} // namespace

std::vector<PageMark> layoutCitation(const std::vector<app::ImportedWord>& words,
                                     app::ByteRange range)
{
    std::vector<PageMark> marks;
    for (const app::ImportedWord& word : words) {
        if (word.range.end <= range.begin || word.range.begin >= range.end)
            continue;
        const QRectF box = boxOf(word);
        if (!marks.empty() && sameLine(marks.back().box, box))
            marks.back().box = marks.back().box.united(box);
        else
            marks.push_back({box, 1});
    }
    return marks;
}

float largestShare(const app::RetentionView& retention)
{
    const auto largest = std::ranges::max_element(retention.shares);
    return largest == retention.shares.end() ? 1.0F : std::max(*largest, 1e-6F);
}

float shareOf(const app::RetentionView& retention, app::ByteRange range)
{
    auto token = std::ranges::lower_bound(retention.ranges, range.begin, {},
                                          [](const app::ByteRange& each) { return each.end - 1; });
    float sum = 0;
    int count = 0;
    for (; token != retention.ranges.end() && token->begin < range.end; ++token) {
        sum += retention.shares[static_cast<std::size_t>(token - retention.ranges.begin())];
        ++count;
    }
    return count == 0 ? 0 : sum / static_cast<float>(count);
}

std::vector<PageMark> layoutRetention(const std::vector<app::ImportedWord>& words,
                                      const app::RetentionView& retention)
{
    const float largest = largestShare(retention);
    std::vector<PageMark> marks;
    marks.reserve(words.size());
    for (const app::ImportedWord& word : words)
        marks.push_back({boxOf(word), shareOf(retention, word.range) / largest});
    return marks;
}

} // namespace ui
