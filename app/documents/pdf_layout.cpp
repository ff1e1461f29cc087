#include "app/documents/pdf_layout.h"

#include "app/documents/pdf_lines.h"
#include "app/documents/utf8.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace app {

namespace {

// Shares of the line height: a new paragraph is indented by an em or more, a blank line doubles the
// pitch.
constexpr float kWordGap = 0.25F;
constexpr float kIndent = 0.6F;
constexpr float kWideGap = 1.35F;        // of the usual distance of lines
constexpr float kColumnGap = 2.5F;       // wider gaps separate blocks with edges of their own
constexpr std::size_t kColumnWindow = 8; // lines around that tell where a column's edges are

enum class Join
{
    Nothing, // hyphenated: the hyphen goes, too
    Space,
    LineFeed,
    Paragraph
};

struct Edges
{
    float left = 0;
    float right = 0;
};

/// Whether two lines in a row are of one column: the second below the first, not far off.
bool followsInColumn(const PrintedLine& line, const PrintedLine& next)
{
    const float step = next.bottom - line.bottom;
    return shareColumn(line, next) && !differInSize(line, next) && step > 0 &&
           step < kColumnGap * line.height;
}

Edges columnEdges(const std::vector<PrintedLine>& lines, std::size_t index)
{
    Edges edges{lines[index].left, lines[index].right};
    const auto include = [&edges](const PrintedLine& line) {
        edges.left = std::min(edges.left, line.left);
        edges.right = std::max(edges.right, line.right);
    };
    for (std::size_t i = index; i > 0 && index - i < kColumnWindow; --i) {
        if (!followsInColumn(lines[i - 1], lines[i]))
            break;
        include(lines[i - 1]);
    }
    for (std::size_t i = index; i + 1 < lines.size() && i - index < kColumnWindow; ++i) {
        if (!followsInColumn(lines[i], lines[i + 1]))
            break;
        include(lines[i + 1]);
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
    explicit PageText(std::vector<PrintedWord> words)
        : m_words(inColumnOrder(std::move(words)))
        , m_lines(findLines(m_words))
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
    const PrintedWord& lastWord(const PrintedLine& line) const { return m_words[line.end - 1]; }
    const PrintedWord& firstWord(const PrintedLine& line) const { return m_words[line.first]; }

    bool isHyphenated(const PrintedLine& line, const PrintedLine& next) const
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
        const PrintedLine& line = m_lines[index];
        const PrintedLine& next = m_lines[index + 1];
        if (std::abs(next.bottom - line.bottom) > 0.5F * std::min(line.height, next.height) ||
            next.left < line.right)
            return false;
        if (index + 2 == m_lines.size())
            return true;
        const PrintedLine& afterNext = m_lines[index + 2];
        const float step = afterNext.bottom - next.bottom;
        return !overlapSideways(next, afterNext) || step <= 0 || step > 2 * next.height;
    }

    Join joinAfter(std::size_t index) const
    {
        const PrintedLine& line = m_lines[index];
        const PrintedLine& next = m_lines[index + 1];
        if (isSamePrintedLine(index))
            return Join::Space;
        const float step = next.bottom - line.bottom;
        if (differInSize(line, next))
            return Join::Paragraph;
        if (step < kColumnGap * line.height && isHyphenated(line, next))
            return Join::Nothing;
        if (step > kWideGap * std::max(m_pitch, 0.8F * line.height))
            return Join::Paragraph;
        if (step > 0 && !shareColumn(line, next))
            return Join::LineFeed;

        const float room = columnEdges(m_lines, index).right - line.right;
        const bool wouldHaveFitted =
            step > 0 && firstWord(next).width + kWordGap * line.height < room;
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
        const PrintedLine& line = m_lines[index];
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

    std::vector<PrintedWord> m_words;
    std::vector<PrintedLine> m_lines;
    float m_pitch = 0;
    PageContent m_content;
};

} // namespace

PageContent layoutPdfPage(std::vector<PrintedWord> words)
{
    return PageText(std::move(words)).build();
}

} // namespace app
