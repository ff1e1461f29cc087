#include "app/documents/xhtml_text.h"

#include "app/documents/utf8.h"

#include <algorithm>
#include <array>

namespace app {

namespace {

using namespace std::string_view_literals;

constexpr std::array kSkipped = {"head"sv,  "script"sv, "style"sv,  "template"sv,   "svg"sv,
                                 "audio"sv, "video"sv,  "iframe"sv, "object"sv,     "rt"sv,
                                 "rp"sv,    "canvas"sv, "select"sv, "annotation"sv, "textarea"sv};

constexpr std::array kParagraphs = {
    "address"sv, "article"sv, "aside"sv,    "blockquote"sv, "body"sv,   "caption"sv,
    "div"sv,     "dl"sv,      "fieldset"sv, "figcaption"sv, "figure"sv, "footer"sv,
    "form"sv,    "h1"sv,      "h2"sv,       "h3"sv,         "h4"sv,     "h5"sv,
    "h6"sv,      "header"sv,  "hgroup"sv,   "hr"sv,         "main"sv,   "nav"sv,
    "ol"sv,      "p"sv,       "pre"sv,      "section"sv,    "table"sv,  "ul"sv};

constexpr std::array kLines = {"br"sv, "dd"sv, "dt"sv, "li"sv, "tr"sv};

template <std::size_t Count>
bool isOneOf(const std::array<std::string_view, Count>& names, std::string_view name)
{
    return std::ranges::find(names, name) != names.end();
}

bool isNoteMarkOrPageNumber(const MarkupVisitor::Attributes& attributes)
{
    const std::string_view type = attributes("epub:type");
    const std::string_view role = attributes("role");
    return type.find("noteref") != std::string_view::npos ||
           type.find("pagebreak") != std::string_view::npos || role == "doc-noteref" ||
           role == "doc-pagebreak";
}

bool isInvisible(char32_t codePoint)
{
    return codePoint == 0xad || codePoint == 0x200a || codePoint == 0x200b || codePoint == 0x2060 ||
           codePoint == 0xfeff || codePoint < 0x20 || (codePoint >= 0x7f && codePoint < 0xa0);
}

} // namespace

std::size_t XhtmlText::offsetOf(const std::string& id) const
{
    const auto found = m_anchors.find(id);
    return found == m_anchors.end() ? 0 : found->second;
}

void XhtmlText::requestBreak(int lineFeeds)
{
    if (m_cellDepth > 0)
        m_space = true; // a table row stays on one line
    else
        m_lineFeeds = std::max(m_lineFeeds, lineFeeds);
}

void XhtmlText::openListItem()
{
    if (m_lists.empty() || m_cellDepth > 0)
        return;
    List& list = m_lists.back();
    ++list.items;
    m_marker = list.numbered ? std::to_string(list.items) + ". " : "- ";
}

void XhtmlText::breakAround(std::string_view name)
{
    if (isOneOf(kLines, name))
        requestBreak(1);
    else if (isOneOf(kParagraphs, name))
        requestBreak(m_headingDepth > 0 ? 1 : 2); // number and title of a chapter stay together
}

bool XhtmlText::open(std::string_view name, const Attributes& attributes)
{
    if (isOneOf(kSkipped, name) || isNoteMarkOrPageNumber(attributes))
        return false;
    if (const std::string_view id = attributes("id"); !id.empty())
        m_waitingAnchors.emplace_back(id);

    if (name == "br" && m_lineFeeds == 1)
        requestBreak(2);
    else
        breakAround(name);

    if (name == "hgroup")
        ++m_headingDepth;
    else if (name == "pre")
        ++m_preDepth;
    else if (name == "ul" || name == "ol")
        m_lists.push_back({.numbered = name == "ol"});
    else if (name == "li")
        openListItem();
    else if (name == "tr")
        m_rowHasText = false;
    else if (name == "td" || name == "th") {
        ++m_cellDepth;
        m_cellBorder = m_rowHasText;
    } else if (name == "hr") {
        for (const char mark : "* * *"sv)
            mark == ' ' ? text(" ") : appendCharacter(static_cast<char32_t>(mark));
    }
    return true;
}

void XhtmlText::close(std::string_view name)
{
    if (name == "hgroup")
        --m_headingDepth;
    else if (name == "pre")
        --m_preDepth;
    else if ((name == "ul" || name == "ol") && !m_lists.empty())
        m_lists.pop_back();
    else if (name == "td" || name == "th")
        --m_cellDepth;

    if (name != "br")
        breakAround(name);
}

void XhtmlText::settleSpacing()
{
    if (!m_text.empty()) {
        if (m_lineFeeds > 0)
            m_text.append(static_cast<std::size_t>(m_lineFeeds), '\n');
        else if (m_cellBorder)
            m_text += " | ";
        else if (m_space)
            m_text.push_back(' ');
    }
    m_text += m_marker;
    m_marker.clear();
    m_lineFeeds = 0;
    m_space = false;
    m_cellBorder = false;
    m_rowHasText = true;
    for (std::string& id : m_waitingAnchors)
        m_anchors.emplace(std::move(id), m_text.size());
    m_waitingAnchors.clear();
}

void XhtmlText::appendCharacter(char32_t codePoint)
{
    settleSpacing();
    appendUtf8(m_text, codePoint);
}

void XhtmlText::text(std::string_view utf8)
{
    std::size_t at = 0;
    while (at < utf8.size()) {
        DecodedCharacter character = decodeUtf8(utf8.substr(at));
        if (character.length == 0)
            character = {0xfffd, 1};
        at += character.length;
        if (m_preDepth > 0 && character.codePoint == '\n') {
            m_lineFeeds = std::min(m_lineFeeds + 1, 2);
        } else if (m_preDepth > 0 && character.codePoint == ' ') {
            appendCharacter(' ');
        } else if ((isInvisible(character.codePoint) && !isSpace(character.codePoint)) ||
                   character.codePoint == 0x200a) {
            continue; // typographers put a hair space between two quotation marks
        } else if (isSpace(character.codePoint)) {
            m_space = true;
        } else {
            appendCharacter(character.codePoint);
        }
    }
}

} // namespace app
