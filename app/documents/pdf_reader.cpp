#include "app/documents/pdf_reader.h"

#include "app/documents/file_name.h"
#include "app/documents/import_limits.h"
#include "app/documents/page_renderer.h"
#include "app/documents/pdf_file.h"
#include "app/documents/pdf_layout.h"
#include "app/documents/utf8.h"

#include <QImage>

#include <algorithm>
#include <array>
#include <cmath>

namespace app {

namespace {

constexpr int kMaxOutlineDepth = 32;
constexpr double kBlankCheckScale = 0.5; // pixels per point: enough to see any mark

std::string cleanTitle(const QString& raw)
{
    const QByteArray utf8 = raw.toUtf8();
    return cleanLine({utf8.constData(), static_cast<std::size_t>(utf8.size())},
                     ImportLimits::kTitleBytes);
}

/// Ligatures (U+FB00 to U+FB06) become their letters, so that a search for "find" finds it.
void appendLetters(std::string& text, char32_t codePoint)
{
    constexpr std::array<std::string_view, 7> kLigatures = {"ff",  "fi", "fl", "ffi",
                                                            "ffl", "st", "st"};
    if (codePoint >= 0xfb00 && codePoint <= 0xfb06)
        text += kLigatures[codePoint - 0xfb00];
    else
        appendUtf8(text, codePoint);
}

/// Without control characters and invisible ones; a soft hyphen stays only at the end, where it was
/// printed.
std::string cleanWord(const QString& raw)
{
    std::string text;
    const auto codePoints = raw.toUcs4();
    for (qsizetype i = 0; i < codePoints.size(); ++i) {
        const char32_t codePoint = codePoints[i];
        const bool control = codePoint < 0x20 || (codePoint >= 0x7f && codePoint < 0xa0);
        const bool invisible = codePoint == 0x200b || codePoint == 0x2060 || codePoint == 0xfeff ||
                               (codePoint == 0xad && i + 1 < codePoints.size());
        if (isSpace(codePoint))
            text.push_back(' ');
        else if (!control && !invisible)
            appendLetters(text, codePoint);
    }
    const std::size_t first = text.find_first_not_of(' ');
    return first == std::string::npos ? std::string()
                                      : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// Boxes are kept in steps of 1/100 point, which is also how the worker process sends them.
float rounded(double points)
{
    const double bounded = std::clamp(std::isfinite(points) ? points : 0.0,
                                      -ImportLimits::kPagePoints, ImportLimits::kPagePoints);
    return static_cast<float>(std::round(bounded * 100)) / 100;
}

std::vector<PrintedWord> wordsOf(const Poppler::Page& page)
{
    std::vector<PrintedWord> words;
    for (const std::unique_ptr<Poppler::TextBox>& box : page.textList()) {
        std::string text = cleanWord(box->text());
        if (text.empty()) {
            if (!words.empty())
                words.back().spaceAfter = words.back().spaceAfter && box->hasSpaceAfter();
            continue;
        }
        const QRectF bounds = box->boundingBox();
        words.push_back({.text = std::move(text),
                         .x = rounded(bounds.x()),
                         .y = rounded(bounds.y()),
                         .width = rounded(std::max(bounds.width(), 0.0)),
                         .height = rounded(std::max(bounds.height(), 0.0)),
                         .spaceAfter = box->hasSpaceAfter()});
    }
    if (!words.empty())
        words.back().spaceAfter = false;
    return words;
}

bool isBlank(const Poppler::Page& page)
{
    const QImage image =
        renderPage(page, kBlankCheckScale, {}).convertToFormat(QImage::Format_RGB32);
    if (image.isNull())
        return false;
    const QRgb first = image.pixel(0, 0);
    for (int row = 0; row < image.height(); ++row) {
        const auto* pixels = reinterpret_cast<const QRgb*>(image.constScanLine(row));
        if (std::any_of(pixels, pixels + image.width(),
                        [first](QRgb pixel) { return pixel != first; }))
            return false;
    }
    return true;
}

PageContent readPage(const Poppler::Page& page)
{
    PageContent content = layoutPdfPage(wordsOf(page));
    const QSizeF size = page.pageSizeF();
    content.page.width = rounded(std::max(size.width(), 0.0));
    content.page.height = rounded(std::max(size.height(), 0.0));
    content.page.label = cleanTitle(page.label());
    content.page.hasText = !content.page.words.empty();
    content.page.blank = !content.page.hasText && isBlank(page);
    return content;
}

/// Entries that lead nowhere in the document are left out, their children are kept.
std::vector<OutlineEntry> readOutline(const Poppler::Document& document)
{
    struct Pending
    {
        Poppler::OutlineItem item;
        int level = 0;
    };
    std::vector<Pending> stack;
    const auto push = [&stack](const QVector<Poppler::OutlineItem>& items, int level) {
        for (auto item = items.crbegin(); item != items.crend(); ++item)
            stack.push_back({*item, level});
    };
    push(document.outline(), 0);
    std::vector<OutlineEntry> outline;
    while (!stack.empty() && outline.size() < ImportLimits::kOutlineEntries) {
        const Pending pending = stack.back();
        stack.pop_back();
        const auto destination = pending.item.destination();
        const int page = destination ? destination->pageNumber() : 0;
        if (page >= 1 && page <= document.numPages())
            outline.push_back({.title = cleanTitle(pending.item.name()),
                               .level = pending.level,
                               .pageIndex = static_cast<std::size_t>(page - 1)});
        if (pending.level < kMaxOutlineDepth)
            push(pending.item.children(), pending.level + 1);
    }
    return outline;
}

} // namespace

void readPdfDocument(const std::filesystem::path& file, ImportSink& sink)
{
    const std::unique_ptr<Poppler::Document> document = openPdf(file);
    std::string title = cleanTitle(document->title());
    if (title.empty())
        title = titleFromFileName(file);
    sink.begin({.kind = DocumentKind::Pdf,
                .title = std::move(title),
                .author = cleanTitle(document->author()),
                .detectedEncoding = {},
                .pagesTotal = static_cast<std::size_t>(document->numPages())});
    std::size_t unreadable = 0;
    for (int index = 0; index < document->numPages(); ++index) {
        sink.checkCancelled();
        const std::unique_ptr<Poppler::Page> page = document->page(index);
        unreadable += page ? 0 : 1;
        sink.addPage(page ? readPage(*page) : PageContent{});
    }
    if (unreadable > 0)
        sink.addWarning(std::to_string(unreadable) +
                        " pages are damaged and could not be read; the others were.");
    if (document->xrefWasReconstructed())
        sink.addWarning(
            "The file is damaged; its table of contents was rebuilt while reading, so pages may "
            "be missing.");
    sink.setOutline(readOutline(*document));
}

} // namespace app
