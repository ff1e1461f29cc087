#pragma once

#include <QImage>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <stop_token>

namespace Poppler {
class Document;
class Page;
} // namespace Poppler

namespace app {

/// A picture never has more pixels than this, whatever size a page claims to have.
inline constexpr double kMaxPagePixels = 16e6;

/// The largest scale up to `scale` (pixels per point) at which a page of this size in points stays
/// within kMaxPagePixels, with at least one pixel each way; 0 for sizes that are not positive
/// numbers.
double cappedScale(double width, double height, double scale);

/// Keeps a PDF open and draws its pages. For one thread at a time.
class PageRenderer
{
public:
    /// @throws engine::Error as openPdf().
    explicit PageRenderer(const std::filesystem::path& file);
    ~PageRenderer();

    std::size_t pageCount() const;

    /// `scale` is in pixels per point and is lowered to respect kMaxPagePixels. The picture is null
    /// if `stop` was requested or the page cannot be drawn. @throws engine::Error NotFound for a
    /// page index behind the end.
    QImage render(std::size_t pageIndex, double scale, std::stop_token stop = {}) const;

private:
    std::unique_ptr<Poppler::Document> m_document;
};

/// Opens, draws one page, closes.
QImage renderPdfPage(const std::filesystem::path& file, std::size_t pageIndex, double scale,
                     std::stop_token stop = {});

/// For a page that is open already.
QImage renderPage(const Poppler::Page& page, double scale, std::stop_token stop);

} // namespace app
