#include "app/documents/markup.h"

#include "app/documents/html_markup.h"
#include "engine/error.h"

#include <array>
#include <pugixml.hpp>

namespace app {

namespace {

std::string_view localName(std::string_view qualified)
{
    const std::size_t colon = qualified.rfind(':');
    return colon == std::string_view::npos ? qualified : qualified.substr(colon + 1);
}

std::string lowerCase(std::string_view name)
{
    std::string lower(name);
    for (char& letter : lower) {
        if (letter >= 'A' && letter <= 'Z')
            letter = static_cast<char>(letter - 'A' + 'a');
    }
    return lower;
}

/// True for "&name;" with a name that XML itself does not define.
bool usesHtmlEntities(std::string_view bytes)
{
    constexpr std::array<std::string_view, 5> kXmlEntities = {"amp;", "lt;", "gt;", "quot;",
                                                              "apos;"};
    for (std::size_t at = bytes.find('&'); at != std::string_view::npos;
         at = bytes.find('&', at + 1)) {
        const std::string_view name = bytes.substr(at + 1, 32);
        const bool named = !name.empty() && name.front() != '#';
        bool known = false;
        for (const std::string_view entity : kXmlEntities)
            known = known || name.starts_with(entity);
        if (named && !known)
            return true;
    }
    return false;
}

pugi::xml_parse_result parse(pugi::xml_document& document, std::string_view bytes)
{
    constexpr unsigned int kOptions = pugi::parse_default | pugi::parse_ws_pcdata;
    return document.load_buffer(bytes.data(), bytes.size(), kOptions, pugi::encoding_utf8);
}

void visitTree(const pugi::xml_document& document, const std::string& description,
               MarkupVisitor& visitor)
{
    pugi::xml_node node = document.first_child();
    std::size_t depth = 0;
    while (node) {
        bool entered = false;
        if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) {
            visitor.text(node.value());
        } else if (node.type() == pugi::node_element) {
            const std::string name = lowerCase(localName(node.name()));
            entered = visitor.open(name, [&node](std::string_view attribute) {
                return std::string_view(node.attribute(std::string(attribute).c_str()).value());
            });
            if (entered && !node.first_child()) {
                visitor.close(name);
                entered = false;
            }
        }
        if (entered) {
            if (++depth > kMaxMarkupDepth)
                refuseDepth(description);
            node = node.first_child();
            continue;
        }
        while (depth > 0 && !node.next_sibling()) {
            node = node.parent();
            --depth;
            visitor.close(lowerCase(localName(node.name())));
        }
        node = node.next_sibling();
    }
}

} // namespace

void refuseDepth(const std::string& description)
{
    throw engine::Error(engine::ErrorCode::Damaged,
                        description + " is damaged: its elements are nested deeper than " +
                            std::to_string(kMaxMarkupDepth) + " levels.");
}

void visitXml(std::string_view bytes, const std::string& description, MarkupVisitor& visitor)
{
    pugi::xml_document document;
    const pugi::xml_parse_result result = parse(document, bytes);
    if (!result)
        throw engine::Error(engine::ErrorCode::Damaged,
                            description + " is damaged: it is not well-formed XML.",
                            result.description());
    visitTree(document, description, visitor);
}

void visitMarkup(std::string_view bytes, const std::string& description, MarkupVisitor& visitor)
{
    if (!usesHtmlEntities(bytes)) {
        pugi::xml_document document;
        if (parse(document, bytes)) {
            visitTree(document, description, visitor);
            return;
        }
    }
    visitHtml(bytes, description, visitor);
}

} // namespace app
