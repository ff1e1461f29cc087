#include "app/documents/page_renderer.h"

#include "app/documents/pdf_file.h"
#include "engine/error.h"

#include <algorithm>
#include <cmath>

namespace app {

namespace {

constexpr double kPointsPerInch = 72;

bool shouldStop(const QVariant& closure)
{
    return static_cast<const std::stop_token*>(closure.value<void*>())->stop_requested();
}

} // namespace

double cappedScale(double width, double height, double scale)
{
    if (!std::isfinite(width) || !std::isfinite(height) || !std::isfinite(scale) || width <= 0 ||
        height <= 0 || scale <= 0)
        return 0;
    // A page that is very long and very thin is one pixel wide, so its length alone is limited.
    const double byArea = std::sqrt(kMaxPagePixels / (width * height));
    const double bySide = kMaxPagePixels / std::max(width, height);
    return std::min({scale, byArea, bySide});
}

QImage renderPage(const Poppler::Page& page, double scale, std::stop_token stop)
{
    const QSizeF size = page.pageSizeF();
    const double capped = cappedScale(size.width(), size.height(), scale);
    if (capped <= 0 || stop.stop_requested())
        return {};
    const double resolution = capped * kPointsPerInch;
    QImage image =
        page.renderToImage(resolution, resolution, -1, -1, -1, -1, Poppler::Page::Rotate0, nullptr,
                           nullptr, &shouldStop, QVariant::fromValue(static_cast<void*>(&stop)));
    return stop.stop_requested() ? QImage() : image;
}

PageRenderer::PageRenderer(const std::filesystem::path& file)
    : m_document(openPdf(file))
{}

PageRenderer::~PageRenderer() = default;

std::size_t PageRenderer::pageCount() const
{
    return static_cast<std::size_t>(m_document->numPages());
}

QImage PageRenderer::render(std::size_t pageIndex, double scale, std::stop_token stop) const
{
    if (pageIndex >= pageCount())
        throw engine::Error(engine::ErrorCode::NotFound,
                            "The document has no page " + std::to_string(pageIndex + 1) + ".");
    const std::unique_ptr<Poppler::Page> page = m_document->page(static_cast<int>(pageIndex));
    return page ? renderPage(*page, scale, std::move(stop)) : QImage();
}

QImage renderPdfPage(const std::filesystem::path& file, std::size_t pageIndex, double scale,
                     std::stop_token stop)
{
    return PageRenderer(file).render(pageIndex, scale, std::move(stop));
}

} // namespace app
