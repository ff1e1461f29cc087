#pragma once

#include "app/documents/markup.h"

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

namespace app {

/// The readable text of a page of markup: one paragraph a line, a blank line between paragraphs,
/// single line breaks in verse, lists and tables, cells joined by " | ", list items marked, "* * *"
/// for a rule. Pictures, scripts, marks of notes and printed page numbers are left out; soft
/// hyphens, hair spaces and characters without width are removed and every other space is a plain
/// one, so that what is quoted is found again.
class XhtmlText : public MarkupVisitor
{
public:
    bool open(std::string_view name, const Attributes& attributes) override;
    void close(std::string_view name) override;
    void text(std::string_view utf8) override;

    const std::string& result() const { return m_text; }

    /// Where the element with this id begins in result(); the start of the text for unknown ids.
    std::size_t offsetOf(const std::string& id) const;

private:
    struct List
    {
        bool numbered = false;
        int items = 0;
    };

    /// What an element asks for before and behind itself.
    void breakAround(std::string_view name);
    void requestBreak(int lineFeeds);
    void openListItem();
    void appendCharacter(char32_t codePoint);
    void settleSpacing();

    std::string m_text;
    std::unordered_map<std::string, std::size_t> m_anchors;
    std::vector<std::string>
        m_waitingAnchors; // they name the next character, which is not there yet
    std::vector<List> m_lists;
    std::string m_marker;      // of the list item that has no text yet
    int m_lineFeeds = 0;       // wanted before the next character
    bool m_space = false;      // wanted before the next character
    bool m_cellBorder = false; // wanted before the next character
    bool m_rowHasText = false;
    int m_cellDepth = 0;
    int m_headingDepth = 0;
    int m_preDepth = 0;
};

} // namespace app
