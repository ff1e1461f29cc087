#include "app/documents/document_builder.h"

#include "app/documents/import_limits.h"
#include "app/documents/sha256.h"
#include "app/documents/utf8.h"

#include <algorithm>
#include <cmath>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;

/// True where a character begins, and at the end.
bool isBoundary(std::string_view text, std::size_t at)
{
    return at == text.size() || (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
}

bool isLength(double points, double limit)
{
    return std::isfinite(points) && points >= 0 && points <= limit;
}

bool isPlausible(const ImportedWord& word)
{
    const auto limit = static_cast<float>(ImportLimits::kPagePoints);
    return std::abs(word.x) <= limit && std::abs(word.y) <= limit && isLength(word.width, limit) &&
           isLength(word.height, limit); // a comparison with NaN is false
}

std::string pagesWithoutTextWarning(std::size_t without, std::size_t total)
{
    const std::string count = std::to_string(without) + " of " + std::to_string(total) +
                              (total == 1 ? " page has" : " pages have");
    return count +
           " no text, only a picture: answers cannot use what is printed there. A copy made with "
           "text recognition (OCR) can be imported instead.";
}

} // namespace

DocumentBuilder::DocumentBuilder(std::string fileName,
                                 std::function<void(const ImportProgress&)> onProgress,
                                 std::stop_token stop)
    : m_fileName(std::move(fileName))
    , m_onProgress(std::move(onProgress))
    , m_stop(std::move(stop))
{}

void DocumentBuilder::refuse(const std::string& what) const
{
    throw Error(ErrorCode::Damaged,
                m_fileName + " could not be read: the reader returned pages that contradict "
                             "themselves. The file is probably damaged; try another copy of it.",
                what);
}

void DocumentBuilder::begin(DocumentHeader header)
{
    if (m_begun)
        refuse("second header");
    m_begun = true;
    if (header.pagesTotal > ImportLimits::kPages)
        throw Error(ErrorCode::TooLarge,
                    m_fileName + " has " + std::to_string(header.pagesTotal) + " pages; at most " +
                        std::to_string(ImportLimits::kPages) +
                        " can be imported. Split the file and import its parts.");
    m_document.kind = header.kind;
    m_document.title = cleanLine(header.title, ImportLimits::kTitleBytes);
    m_document.author = cleanLine(header.author, ImportLimits::kTitleBytes);
    m_document.detectedEncoding = cleanLine(header.detectedEncoding, ImportLimits::kLabelBytes);
    m_pagesTotal = header.pagesTotal;
    if (m_document.title.empty())
        refuse("empty title");
    if (m_onProgress)
        m_onProgress({0, m_pagesTotal});
}

void DocumentBuilder::checkPage(const PageContent& content) const
{
    const std::string_view text = content.text;
    const ImportedPage& page = content.page;
    if (page.range != ByteRange{0, static_cast<std::uint32_t>(text.size())})
        refuse("page range");
    if (findInvalidUtf8(text) != std::string_view::npos ||
        text.find('\0') != std::string_view::npos)
        refuse("page text is not UTF-8");
    if (!isLength(page.width, ImportLimits::kPagePoints) ||
        !isLength(page.height, ImportLimits::kPagePoints))
        refuse("page size");
    std::uint32_t end = 0;
    for (const ImportedWord& word : page.words) {
        if (word.range.begin < end || word.range.end <= word.range.begin ||
            word.range.end > text.size() || !isBoundary(text, word.range.begin) ||
            !isBoundary(text, word.range.end) || !isPlausible(word))
            refuse("word of page " + std::to_string(pagesRead() + 1));
        end = word.range.end;
    }
}

void DocumentBuilder::addPage(PageContent content)
{
    checkCancelled();
    if (!m_begun)
        refuse("page before the header");
    if (content.text.size() > ImportLimits::kPageTextBytes ||
        content.page.words.size() > ImportLimits::kPageWords ||
        pagesRead() >= ImportLimits::kPages ||
        m_wordBoxes + content.page.words.size() > ImportLimits::kDocumentWords ||
        m_document.text.size() + content.text.size() > ImportLimits::kDocumentTextBytes)
        throw Error(ErrorCode::TooLarge,
                    m_fileName + " has more text than can be imported (" +
                        std::to_string(ImportLimits::kDocumentTextBytes >> 20) + " MB in all, " +
                        std::to_string(ImportLimits::kPageTextBytes >> 20) +
                        " MB on a page). Split the file and import its parts.");
    checkPage(content);

    const auto offset = static_cast<std::uint32_t>(m_document.text.size());
    ImportedPage page = std::move(content.page);
    page.label = cleanLine(page.label, ImportLimits::kLabelBytes);
    if (page.label.empty())
        page.label = std::to_string(pagesRead() + 1);
    page.hasText = countWords(content.text) > 0;
    page.blank = page.blank && !page.hasText;
    page.range = {offset, offset + page.range.end};
    for (ImportedWord& word : page.words) {
        word.range.begin += offset;
        word.range.end += offset;
    }
    m_wordBoxes += page.words.size();
    m_document.text += content.text;
    m_document.pages.push_back(std::move(page));
    if (m_onProgress)
        m_onProgress({pagesRead(), std::max(m_pagesTotal, pagesRead())});
}

void DocumentBuilder::setOutline(std::vector<OutlineEntry> outline)
{
    if (!m_begun || !m_document.outline.empty() || outline.size() > ImportLimits::kOutlineEntries)
        refuse("outline");
    for (OutlineEntry& entry : outline) {
        entry.title = cleanLine(entry.title, ImportLimits::kTitleBytes);
        entry.level = std::clamp(entry.level, 0, 63);
        if (entry.pageIndex >= pagesRead())
            refuse("outline entry points behind the last page");
    }
    std::erase_if(outline, [](const OutlineEntry& entry) { return entry.title.empty(); });
    m_document.outline = std::move(outline);
}

void DocumentBuilder::addWarning(std::string sentence)
{
    if (m_document.warnings.size() < ImportLimits::kWarnings)
        m_document.warnings.push_back(cleanLine(sentence, ImportLimits::kWarningBytes));
}

void DocumentBuilder::checkCancelled()
{
    if (m_stop.stop_requested())
        throw Error(ErrorCode::Cancelled, "The import of " + m_fileName + " was cancelled.");
}

ImportedDocument DocumentBuilder::finish(std::string fileSha256)
{
    if (!m_begun || m_document.pages.empty())
        throw Error(ErrorCode::Unsupported,
                    m_fileName + " has no pages, so there is nothing to read.");
    m_document.fileSha256 = std::move(fileSha256);
    m_document.textSha256 = sha256Hex(m_document.text);
    m_document.wordCount = countWords(m_document.text);
    m_document.pagesWithoutText = static_cast<std::size_t>(std::ranges::count_if(
        m_document.pages, [](const ImportedPage& page) { return !page.hasText && !page.blank; }));
    if (m_document.pagesWithoutText > 0)
        addWarning(pagesWithoutTextWarning(m_document.pagesWithoutText, pagesRead()));
    return std::move(m_document);
}

} // namespace app
