#include "app/documents/text_reader.h"

#include "app/documents/file_name.h"
#include "app/documents/import_limits.h"
#include "app/documents/markdown_headings.h"
#include "app/documents/page_cutter.h"
#include "app/documents/reflowed_pages.h"
#include "app/documents/text_decoding.h"
#include "app/documents/utf8.h"
#include "engine/error.h"

#include <algorithm>
#include <fstream>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;

// Pages of the author's own may be longer than ours; beyond this they are cut, too.
constexpr std::size_t kFormFeedPageBytes = 20'000;

DecodedText readFile(const std::filesystem::path& file)
{
    const std::string name = quotedName(file);
    const std::uintmax_t size = std::filesystem::file_size(file);
    if (size > ImportLimits::kTextFileBytes)
        throw Error(ErrorCode::TooLarge, name + " is a text of " + std::to_string(size >> 20) +
                                             " MB; at most " +
                                             std::to_string(ImportLimits::kTextFileBytes >> 20) +
                                             " MB can be imported. Split it into parts.");
    std::string bytes(static_cast<std::size_t>(size), '\0');
    std::ifstream stream(file, std::ios::binary);
    if (!stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
        throw Error(ErrorCode::NotFound, name + " could not be read to its end.", file.string());
    DecodedText decoded = decodeText(std::move(bytes), name);
    if (countWords(decoded.text) == 0)
        throw Error(ErrorCode::Unsupported, name + " contains no text, only white space.");
    return decoded;
}

void warnAboutEncoding(const DecodedText& decoded, ImportSink& sink)
{
    if (decoded.encoding != "UTF-8")
        sink.addWarning(
            "The text is stored as " + decoded.encoding +
            ", not as UTF-8; it was converted. If letters look wrong, save the file as UTF-8 and "
            "import it again.");
    if (decoded.lossy ||
        (decoded.encoding == "UTF-8" && decoded.text.find("\xef\xbf\xbd") != std::string::npos))
        sink.addWarning("Some characters could not be read and are shown as \xef\xbf\xbd.");
}

/// Page ends at form feeds, which become line feeds: a text has no use for the character itself.
std::vector<ByteRange> cutAtFormFeeds(std::string& text)
{
    std::vector<ByteRange> pages;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t feed = text.find('\f', begin);
        const std::size_t end = feed == std::string::npos ? text.size() : feed + 1;
        if (feed != std::string::npos)
            text[feed] = '\n';
        for (const ByteRange piece :
             cutIntoPages(std::string_view(text).substr(begin, end - begin), kFormFeedPageBytes)) {
            const auto offset = static_cast<std::uint32_t>(begin);
            pages.push_back({offset + piece.begin, offset + piece.end});
        }
        begin = end;
    }
    return pages;
}

} // namespace

void readTextDocument(const std::filesystem::path& file, ImportSink& sink)
{
    DecodedText decoded = readFile(file);
    const bool hasPages = decoded.text.find('\f') != std::string::npos;
    const std::vector<ByteRange> pages =
        hasPages ? cutAtFormFeeds(decoded.text) : cutIntoPages(decoded.text);
    sink.begin({.kind = DocumentKind::Text,
                .title = titleFromFileName(file),
                .author = {},
                .detectedEncoding = decoded.encoding,
                .pagesTotal = pages.size()});
    warnAboutEncoding(decoded, sink);
    addReflowedPages(decoded.text, pages, sink);
}

void readMarkdownDocument(const std::filesystem::path& file, ImportSink& sink)
{
    DecodedText decoded = readFile(file);
    std::ranges::replace(decoded.text, '\f', '\n');
    const std::vector<MarkdownHeading> headings = findMarkdownHeadings(decoded.text);
    const std::vector<ByteRange> pages = cutIntoPages(decoded.text);

    std::string title = titleFromFileName(file);
    std::vector<OutlineEntry> outline;
    outline.reserve(headings.size());
    for (const MarkdownHeading& heading : headings) {
        outline.push_back({.title = heading.title,
                           .level = heading.level - 1,
                           .pageIndex = pageAt(pages, heading.offset)});
    }
    const auto first = std::ranges::find(headings, 1, &MarkdownHeading::level);
    if (first != headings.end())
        title = first->title;

    sink.begin({.kind = DocumentKind::Markdown,
                .title = title,
                .author = {},
                .detectedEncoding = decoded.encoding,
                .pagesTotal = pages.size()});
    warnAboutEncoding(decoded, sink);
    addReflowedPages(decoded.text, pages, sink);
    sink.setOutline(std::move(outline));
}

} // namespace app
