#include "app/documents/html_markup.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <gumbo.h>
#include <memory>
#include <vector>

namespace app {

namespace {

// Elements without content, and those that the next of their kind closes: opening tags that add no
// depth.
constexpr std::array<std::string_view, 31> kNotNesting = {
    "a",      "area",  "base",  "body",  "br",   "col",   "dd",     "dt",    "embed", "head", "hr",
    "html",   "img",   "input", "li",    "link", "meta",  "option", "p",     "param", "rp",   "rt",
    "source", "tbody", "td",    "tfoot", "th",   "thead", "tr",     "track", "wbr"};

/// The HTML parser frees its tree by recursion, so the depth is bounded before it runs. Counted
/// from above: opening tags less closing tags, where "<b/>" is an opening tag, as HTML has it.
void requireModestDepth(std::string_view bytes, const std::string& description)
{
    constexpr std::size_t kMaxOpenTags = 5'000;
    std::size_t open = 0;
    for (std::size_t at = bytes.find('<'); at != std::string_view::npos;
         at = bytes.find('<', at + 1)) {
        const std::string_view rest = bytes.substr(at + 1);
        if (rest.starts_with('/')) {
            open -= open > 0 ? 1 : 0;
            continue;
        }
        std::string name;
        while (name.size() < 8 && name.size() < rest.size() &&
               std::isalnum(static_cast<unsigned char>(rest[name.size()])) != 0)
            name.push_back(
                static_cast<char>(std::tolower(static_cast<unsigned char>(rest[name.size()]))));
        if (name.empty() || std::ranges::find(kNotNesting, name) != kNotNesting.end())
            continue;
        if (++open > kMaxOpenTags)
            refuseDepth(description);
    }
}

struct DestroyTree
{
    void operator()(GumboOutput* output) const
    {
        gumbo_destroy_output(&kGumboDefaultOptions, output);
    }
};

struct Level
{
    const GumboNode* node = nullptr;
    std::string name;
    unsigned int nextChild = 0;
};

std::string elementName(const GumboElement& element)
{
    if (element.tag != GUMBO_TAG_UNKNOWN)
        return gumbo_normalized_tagname(element.tag);
    GumboStringPiece piece = element.original_tag;
    gumbo_tag_from_original_text(&piece);
    std::string name(piece.data == nullptr ? "" : piece.data, piece.length);
    std::ranges::transform(name, name.begin(), [](unsigned char letter) {
        return static_cast<char>(std::tolower(letter));
    });
    const std::size_t colon = name.rfind(':');
    return colon == std::string::npos ? name : name.substr(colon + 1);
}

bool isText(const GumboNode& node)
{
    return node.type == GUMBO_NODE_TEXT || node.type == GUMBO_NODE_WHITESPACE ||
           node.type == GUMBO_NODE_CDATA;
}

/// True if the node was opened and its children come next.
bool openNode(const GumboNode& node, MarkupVisitor& visitor, std::string& name)
{
    if (isText(node)) {
        visitor.text(node.v.text.text);
        return false;
    }
    if (node.type != GUMBO_NODE_ELEMENT)
        return false;
    name = elementName(node.v.element);
    return visitor.open(name, [&node](std::string_view attribute) {
        const GumboAttribute* found =
            gumbo_get_attribute(&node.v.element.attributes, std::string(attribute).c_str());
        return found == nullptr ? std::string_view() : std::string_view(found->value);
    });
}

} // namespace

void visitHtml(std::string_view bytes, const std::string& description, MarkupVisitor& visitor)
{
    requireModestDepth(bytes, description);
    const std::unique_ptr<GumboOutput, DestroyTree> output(
        gumbo_parse_with_options(&kGumboDefaultOptions, bytes.data(), bytes.size()));
    std::vector<Level> levels;
    std::string name;
    if (openNode(*output->root, visitor, name))
        levels.push_back({output->root, name, 0});
    while (!levels.empty()) {
        Level& level = levels.back();
        const GumboVector& children = level.node->v.element.children;
        if (level.nextChild >= children.length) {
            visitor.close(level.name);
            levels.pop_back();
            continue;
        }
        const auto* child = static_cast<const GumboNode*>(children.data[level.nextChild++]);
        if (openNode(*child, visitor, name)) {
            levels.push_back({child, name, 0});
            if (levels.size() > kMaxMarkupDepth)
                refuseDepth(description);
        }
    }
}

} // namespace app
