#include "app/documents/imported_document.h"

#include <array>
#include <utility>

namespace app {

namespace {

constexpr std::array<std::pair<DocumentKind, std::string_view>, 4> kKindNames = {{
    {DocumentKind::Pdf, "pdf"},
    {DocumentKind::Epub, "epub"},
    {DocumentKind::Text, "text"},
    {DocumentKind::Markdown, "markdown"},
}};

} // namespace

std::string_view documentKindName(DocumentKind kind)
{
    for (const auto& [candidate, name] : kKindNames) {
        if (candidate == kind)
            return name;
    }
    return "text";
}

DocumentKind documentKindFromName(std::string_view name)
{
    for (const auto& [kind, candidate] : kKindNames) {
        if (candidate == name)
            return kind;
    }
    throw engine::Error(engine::ErrorCode::BadInput,
                        "“" + std::string(name) +
                            "” is not a kind of document this program knows.");
}

} // namespace app
