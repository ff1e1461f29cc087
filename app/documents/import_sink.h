#pragma once

#include "app/documents/imported_document.h"

#include <cstddef>
#include <string>
#include <vector>

namespace app {

/// What a reader knows before the first page.
struct DocumentHeader
{
    DocumentKind kind = DocumentKind::Text;
    std::string title;
    std::string author;
    std::string detectedEncoding;
    std::size_t pagesTotal = 0;
};

/// One page on its way. All ranges in `page` count from the start of `text`; page.range covers all
/// of it.
struct PageContent
{
    ImportedPage page;
    std::string text; // with the white space that separates it from the next page
};

/// Receives a document from a reader, in the order of the functions below.
/// Readers run in the worker process and know nothing else of the program.
class ImportSink
{
public:
    virtual ~ImportSink() = default;

    virtual void begin(DocumentHeader header) = 0;
    virtual void addPage(PageContent content) = 0;
    virtual void setOutline(std::vector<OutlineEntry> outline) = 0;
    virtual void addWarning(std::string sentence) = 0; // at any time after begin()

    /// Called often; @throws engine::Error (Cancelled) to end the reading.
    virtual void checkCancelled() = 0;
};

} // namespace app
