#include "app/documents/epub_reader.h"

#include "app/documents/epub_contents.h"
#include "app/documents/epub_package.h"
#include "app/documents/file_name.h"
#include "app/documents/import_limits.h"
#include "app/documents/page_cutter.h"
#include "app/documents/reflowed_pages.h"
#include "app/documents/text_decoding.h"
#include "app/documents/utf8.h"
#include "app/documents/xhtml_text.h"
#include "engine/error.h"

#include <map>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;

/// The text of the whole book and where the parts and their anchors are in it.
struct Book
{
    struct Part
    {
        std::size_t offset = 0;
        XhtmlText content;
    };

    std::string text;
    std::vector<ByteRange> pages;
    std::map<std::string, Part> parts; // by name inside the archive
};

std::string utf8Of(std::string bytes, const std::string& fileName)
{
    return decodeText(std::move(bytes), "A part of " + fileName).text;
}

void appendPart(Book& book, const std::string& path, XhtmlText content, const std::string& fileName)
{
    const std::size_t offset = book.text.size();
    if (offset + content.result().size() > ImportLimits::kDocumentTextBytes)
        throw Error(ErrorCode::TooLarge,
                    fileName + " has more than " +
                        std::to_string(ImportLimits::kDocumentTextBytes >> 20) +
                        " MB of text, which is the most that can be imported.");
    if (!content.result().empty()) {
        const std::string part = content.result() + "\n\n";
        for (const ByteRange page : cutIntoPages(part)) {
            const auto start = static_cast<std::uint32_t>(offset);
            book.pages.push_back({start + page.begin, start + page.end});
        }
        book.text += part;
    }
    book.parts.emplace(path, Book::Part{offset, std::move(content)});
}

Book readParts(ZipArchive& archive, const EpubPackage& package, const std::string& fileName,
               bool& partsMissing, ImportSink& sink)
{
    Book book;
    for (const std::string& path : package.spine) {
        sink.checkCancelled();
        if (!archive.contains(path)) {
            partsMissing = true;
            continue;
        }
        if (book.parts.contains(path)) // a spine may not name a part twice; a bomb would
            continue;
        XhtmlText content;
        visitMarkup(utf8Of(archive.read(path), fileName), fileName, content);
        appendPart(book, path, std::move(content), fileName);
    }
    if (countWords(book.text) == 0)
        throw Error(ErrorCode::Unsupported,
                    fileName + " has no text, only pictures, so there is nothing to read.");
    return book;
}

/// A broken table of contents is no reason to refuse the book.
std::vector<ContentsLink> readContents(ZipArchive& archive, const EpubPackage& package,
                                       const std::string& fileName)
{
    try {
        if (!package.navigation.empty() && archive.contains(package.navigation))
            return readNavigationPage(utf8Of(archive.read(package.navigation), fileName),
                                      package.navigation);
        if (!package.ncx.empty() && archive.contains(package.ncx))
            return readNcx(utf8Of(archive.read(package.ncx), fileName), package.ncx);
    } catch (const Error&) {
        return {};
    }
    return {};
}

std::vector<OutlineEntry> outlineOf(const Book& book, const std::vector<ContentsLink>& links)
{
    std::vector<OutlineEntry> outline;
    std::vector<std::size_t>
        untargeted; // headings without a link take the place of what follows them
    for (const ContentsLink& link : links) {
        if (outline.size() >= ImportLimits::kOutlineEntries)
            break;
        const auto part = book.parts.find(link.path);
        if (part == book.parts.end() && !link.path.empty())
            continue;
        outline.push_back({.title = link.title, .level = link.level, .pageIndex = 0});
        if (part == book.parts.end()) {
            untargeted.push_back(outline.size() - 1);
            continue;
        }
        const std::size_t offset =
            part->second.offset + part->second.content.offsetOf(link.fragment);
        outline.back().pageIndex = pageAt(book.pages, offset);
        for (const std::size_t index : untargeted)
            outline[index].pageIndex = outline.back().pageIndex;
        untargeted.clear();
    }
    return outline;
}

} // namespace

void readEpubDocument(const std::filesystem::path& file, ImportSink& sink)
{
    const std::string fileName = quotedName(file);
    ZipArchive archive(file);
    const EpubPackage package = readEpubPackage(archive, fileName);
    bool partsMissing = false;
    const Book book = readParts(archive, package, fileName, partsMissing, sink);
    const std::vector<ContentsLink> links = readContents(archive, package, fileName);

    sink.begin({.kind = DocumentKind::Epub,
                .title = package.title.empty() ? titleFromFileName(file) : package.title,
                .author = package.author,
                .detectedEncoding = "UTF-8",
                .pagesTotal = book.pages.size()});
    if (partsMissing || package.hasUnreadableParts)
        sink.addWarning(
            "Some parts of the book are missing in the file or are pictures; the rest was read.");
    if (links.empty())
        sink.addWarning("The book has no readable table of contents.");
    addReflowedPages(book.text, book.pages, sink);
    sink.setOutline(outlineOf(book, links));
}

} // namespace app
