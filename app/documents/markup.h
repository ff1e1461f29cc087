#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace app {

/// The elements and texts of a parsed page, in document order, whichever parser read it.
class MarkupVisitor
{
public:
    /// Value of an attribute of the element that is being opened; empty if it has none of this
    /// name.
    using Attributes = std::function<std::string_view(std::string_view name)>;

    virtual ~MarkupVisitor() = default;

    /// `name` is in lower case, without namespace prefix. False skips what is inside (no close()
    /// follows).
    virtual bool open(std::string_view name, const Attributes& attributes) = 0;
    virtual void close(std::string_view name) = 0;
    virtual void text(std::string_view utf8) = 0; // entities are resolved
};

/// Elements nested deeper than this are refused.
inline constexpr std::size_t kMaxMarkupDepth = 256;

/// Reads well-formed XML only.
/// @throws engine::Error Damaged for anything else and for markup nested too deeply.
void visitXml(std::string_view bytes, const std::string& description, MarkupVisitor& visitor);

/// Reads XML, and where a page is not well-formed or uses the entities of HTML, reads it as HTML.
/// No entity of a document's own is ever expanded, nothing is loaded from elsewhere, and no step
/// recurses. `bytes` are UTF-8, whatever their XML declaration says. `description` names the page
/// in sentences.
/// @throws engine::Error Damaged for markup nested too deeply.
void visitMarkup(std::string_view bytes, const std::string& description, MarkupVisitor& visitor);

} // namespace app
