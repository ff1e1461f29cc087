#include "app/documents/markdown_headings.h"

#include <algorithm>

namespace app {

namespace {

constexpr auto kNone = std::string_view::npos;

std::string_view trimmed(std::string_view line)
{
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == kNone)
        return {};
    return line.substr(first, line.find_last_not_of(" \t") - first + 1);
}

/// A line indented by four is code, not a heading.
bool isIndentedCode(std::string_view line)
{
    return line.starts_with("    ") || line.starts_with('\t');
}

/// Length of the fence of backticks or tildes that begins this line, 0 if none does.
std::size_t fenceLength(std::string_view line)
{
    const std::string_view body = trimmed(line);
    if (isIndentedCode(line) || body.empty() || (body.front() != '`' && body.front() != '~'))
        return 0;
    const std::size_t length = std::min(body.find_first_not_of(body.front()), body.size());
    return length >= 3 ? length : 0;
}

std::string_view withoutEmphasis(std::string_view title)
{
    while (title.size() >= 2 && title.front() == title.back() &&
           (title.front() == '*' || title.front() == '_'))
        title = title.substr(1, title.size() - 2);
    return title;
}

/// Level of a "## Title" line, 0 if it is none; `title` receives the words.
int hashHeading(std::string_view line, std::string_view& title)
{
    const std::string_view body = trimmed(line);
    const std::size_t hashes = std::min(body.find_first_not_of('#'), body.size());
    if (isIndentedCode(line) || hashes == 0 || hashes > 6)
        return 0;
    if (hashes < body.size() && body[hashes] != ' ' && body[hashes] != '\t')
        return 0;
    title = trimmed(body.substr(hashes));
    const std::size_t last = title.find_last_not_of('#');
    if (last == kNone)
        title = {};
    else if (last + 1 < title.size() && title[last] == ' ')
        title = trimmed(title.substr(0, last));
    return static_cast<int>(hashes);
}

/// Level of the underline of a heading: 1 for "===", 2 for "---", else 0.
int underlineLevel(std::string_view line)
{
    const std::string_view body = trimmed(line);
    if (isIndentedCode(line) || body.empty() || (body.front() != '=' && body.front() != '-') ||
        body.find_first_not_of(body.front()) != kNone)
        return 0;
    return body.front() == '=' ? 1 : 2;
}

bool canBeUnderlined(std::string_view line)
{
    const std::string_view body = trimmed(line);
    return !body.empty() && !isIndentedCode(line) &&
           std::string_view(">|-+*<").find(body.front()) == kNone;
}

/// Behind the block of metadata between two "---" lines with which some files begin.
std::size_t afterFrontMatter(std::string_view text)
{
    if (!text.starts_with("---\n"))
        return 0;
    const std::size_t end = text.find("\n---\n", 3);
    return end == kNone ? 0 : end + 5;
}

} // namespace

std::vector<MarkdownHeading> findMarkdownHeadings(std::string_view text)
{
    std::vector<MarkdownHeading> headings;
    std::size_t openFence = 0;
    char fenceCharacter = '`';
    std::string_view previous;
    std::size_t previousOffset = 0;
    for (std::size_t begin = afterFrontMatter(text); begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        const std::size_t fence = fenceLength(line);
        std::string_view title;
        if (openFence > 0) {
            const bool closes = fence >= openFence && trimmed(line).size() == fence &&
                                trimmed(line).front() == fenceCharacter;
            openFence = closes ? 0 : openFence;
        } else if (fence > 0) {
            openFence = fence;
            fenceCharacter = trimmed(line).front();
        } else if (const int level = hashHeading(line, title); level > 0) {
            headings.push_back({std::string(withoutEmphasis(title)), level, begin});
        } else if (const int underline = underlineLevel(line);
                   underline > 0 && canBeUnderlined(previous)) {
            headings.push_back(
                {std::string(withoutEmphasis(trimmed(previous))), underline, previousOffset});
        }
        const bool isBody = openFence == 0 && fence == 0 && title.empty();
        previous = isBody ? line : std::string_view();
        previousOffset = begin;
        begin = end + 1;
    }
    std::erase_if(headings, [](const MarkdownHeading& heading) { return heading.title.empty(); });
    return headings;
}

} // namespace app
