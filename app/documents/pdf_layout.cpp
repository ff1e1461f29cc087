#include "app/documents/pdf_layout.h"

#include "app/documents/utf8.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

namespace app {

namespace {

// Shares of the line height. They separate what typesetters do by a wide margin: a new paragraph is
// indented by one em or more, a superscript overlaps its line by a third, a blank line doubles the
// pitch.
constexpr float kSameLineOverlap = 0.25F;
constexpr float kJoinedGap = 0.25F;
constexpr float kIndent = 0.6F;
constexpr float kSizeChange = 0.2F;
constexpr float kWideGap = 1.35F; // of the usual distance of lines
constexpr std::size_t kColumnWindow =
    8; // lines before and after that tell where a column's edges are

struct Line
{
    std::size_t first = 0; // word indices [first, end)
    std::size_t end = 0;
    float left = 0;
    float right = 0;
    float bottom = 0; // median of the words, so that a superscript does not count
    float height = 0; // median
};

enum class Join
{
    Nothing, // hyphenated: the hyphen goes, too
    Space,
    LineFeed,
    Paragraph
};

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

Line measureLine(std::span<const PrintedWord> words, std::size_t first, std::size_t end)
{
    Line line{.first = first, .end = end, .left = words[first].x, .right = words[first].right()};
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

std::vector<Line> findLines(std::span<const PrintedWord> words)
{
    std::vector<Line> lines;
    std::size_t first = 0;
    for (std::size_t i = 1; i <= words.size(); ++i) {
        if (i < words.size() && continuesLine(words[i - 1], words[i]))
            continue;
        lines.push_back(measureLine(words, first, i));
        first = i;
    }
    return lines;
}

bool isOfOtherSize(const Line& a, const Line& b)
{
    return std::abs(a.height - b.height) > kSizeChange * std::max(a.height, b.height);
}

bool inSameColumn(const Line& a, const Line& b)
{
    const float overlap = std::min(a.right, b.right) - std::max(a.left, b.left);
    return overlap > 0.5F * std::min(a.right - a.left, b.right - b.left);
}

/// Distance of consecutive lines of running text.
float usualPitch(const std::vector<Line>& lines)
{
    std::vector<float> steps;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const float step = lines[i].bottom - lines[i - 1].bottom;
        if (inSameColumn(lines[i - 1], lines[i]) && step > 0.5F * lines[i].height &&
            step < 3 * lines[i].height)
            steps.push_back(step);
    }
    return steps.empty() ? 0 : median(std::move(steps));
}

struct Edges
{
    float left = 0;
    float right = 0;
};

Edges columnEdges(const std::vector<Line>& lines, std::size_t index)
{
    const std::size_t begin = index > kColumnWindow ? index - kColumnWindow : 0;
    const std::size_t end = std::min(index + kColumnWindow + 1, lines.size());
    Edges edges{lines[index].left, lines[index].right};
    for (std::size_t i = begin; i < end; ++i) {
        if (!inSameColumn(lines[i], lines[index]) || isOfOtherSize(lines[i], lines[index]))
            continue;
        edges.left = std::min(edges.left, lines[i].left);
        edges.right = std::max(edges.right, lines[i].right);
    }
    return edges;
}

char32_t lastCharacter(std::string_view text)
{
    std::size_t begin = text.size();
    while (begin > 0 && (static_cast<unsigned char>(text[--begin]) & 0xc0) == 0x80) {
    }
    return text.empty() ? 0 : decodeUtf8(text.substr(begin)).codePoint;
}

/// Bytes of the hyphen at the end of a word; 0 if it has none or is nothing but a hyphen.
std::size_t hyphenLength(std::string_view word)
{
    const char32_t last = lastCharacter(word);
    const std::size_t length = last == '-' ? 1 : last == 0xad ? 2 : last == 0x2010 ? 3 : 0;
    return length < word.size() ? length : 0;
}

bool endsSentence(std::string_view word)
{
    constexpr std::u32string_view kClosing = U"\"')]}\u2019\u201d\u00bb\u203a";
    constexpr std::u32string_view kEnds = U".!?:\u2026";
    while (!word.empty()) {
        const char32_t last = lastCharacter(word);
        if (kClosing.find(last) == std::u32string_view::npos)
            return kEnds.find(last) != std::u32string_view::npos;
        std::string character;
        appendUtf8(character, last);
        word.remove_suffix(std::min(character.size(), word.size()));
    }
    return false;
}

/// Turns words and lines into text; one object per page.
class PageText
{
public:
    explicit PageText(std::span<const PrintedWord> words)
        : m_words(words)
        , m_lines(findLines(words))
        , m_pitch(usualPitch(m_lines))
    {}

    PageContent build()
    {
        for (std::size_t index = 0; index < m_lines.size(); ++index)
            appendLine(index);
        m_content.page.range = {0, static_cast<std::uint32_t>(m_content.text.size())};
        return std::move(m_content);
    }

private:
    const PrintedWord& lastWord(const Line& line) const { return m_words[line.end - 1]; }
    const PrintedWord& firstWord(const Line& line) const { return m_words[line.first]; }

    bool isHyphenated(const Line& line, const Line& next) const
    {
        const std::string_view word = lastWord(line).text;
        const std::size_t hyphen = hyphenLength(word);
        if (hyphen == 0)
            return false;
        const char32_t before = lastCharacter(word.substr(0, word.size() - hyphen));
        const char32_t after = decodeUtf8(firstWord(next).text).codePoint;
        return isLowerCaseLetter(before) && isLowerCaseLetter(after);
    }

    /// Two pieces of one printed line, such as a header and its page number or cells of a table.
    /// The first line of the next column stands beside a line, too, but has its own next line below
    /// it.
    bool isSamePrintedLine(std::size_t index) const
    {
        const Line& line = m_lines[index];
        const Line& next = m_lines[index + 1];
        if (std::abs(next.bottom - line.bottom) > 0.5F * std::min(line.height, next.height) ||
            next.left < line.right)
            return false;
        if (index + 2 == m_lines.size())
            return true;
        const Line& afterNext = m_lines[index + 2];
        const float step = afterNext.bottom - next.bottom;
        return !inSameColumn(next, afterNext) || step <= 0 || step > 2 * next.height;
    }

    Join joinAfter(std::size_t index) const
    {
        const Line& line = m_lines[index];
        const Line& next = m_lines[index + 1];
        if (isSamePrintedLine(index))
            return Join::Space;
        const float step = next.bottom - line.bottom;
        if (isOfOtherSize(line, next) || step > kWideGap * std::max(m_pitch, 0.8F * line.height))
            return Join::Paragraph;
        if (isHyphenated(line, next))
            return Join::Nothing;
        if (step > 0 && !inSameColumn(line, next))
            return Join::LineFeed;

        const float room = columnEdges(m_lines, index).right - line.right;
        const bool wouldHaveFitted =
            step > 0 && firstWord(next).width + kJoinedGap * line.height < room;
        const bool indented =
            next.left > columnEdges(m_lines, index + 1).left + kIndent * next.height;
        if (endsSentence(lastWord(line).text) && (indented || wouldHaveFitted))
            return Join::Paragraph;
        return wouldHaveFitted ? Join::LineFeed : Join::Space;
    }

    void appendWord(const PrintedWord& word, std::size_t droppedBytes)
    {
        const auto begin = static_cast<std::uint32_t>(m_content.text.size());
        m_content.text.append(word.text, 0, word.text.size() - droppedBytes);
        m_content.page.words.push_back(
            {.range = {begin, static_cast<std::uint32_t>(m_content.text.size())},
             .x = word.x,
             .y = word.y,
             .width = word.width,
             .height = word.height});
    }

    void appendLine(std::size_t index)
    {
        const Line& line = m_lines[index];
        const bool isLast = index + 1 == m_lines.size();
        const Join join = isLast ? pageEnd() : joinAfter(index);
        for (std::size_t i = line.first; i < line.end; ++i) {
            const bool endsLine = i + 1 == line.end;
            const bool dropHyphen = endsLine && join == Join::Nothing;
            appendWord(m_words[i], dropHyphen ? hyphenLength(m_words[i].text) : 0);
            if (!endsLine && m_words[i].spaceAfter)
                m_content.text.push_back(' ');
        }
        if (join == Join::Space)
            m_content.text.push_back(' ');
        else if (join == Join::LineFeed)
            m_content.text.push_back('\n');
        else if (join == Join::Paragraph)
            m_content.text += "\n\n";
    }

    /// A page number below the text does not tell whether the text goes on.
    Join pageEnd() const
    {
        for (auto line = m_lines.rbegin(); line != m_lines.rend(); ++line) {
            const std::string& word = lastWord(*line).text;
            const bool number = word.find_first_not_of("0123456789") == std::string::npos;
            if (!number || line->end - line->first > 1)
                return endsSentence(word) ? Join::Paragraph : Join::LineFeed;
        }
        return Join::Paragraph;
    }

    std::span<const PrintedWord> m_words;
    std::vector<Line> m_lines;
    float m_pitch = 0;
    PageContent m_content;
};

} // namespace

PageContent layoutPdfPage(const std::vector<PrintedWord>& words)
{
    return PageText(words).build();
}

} // namespace app
