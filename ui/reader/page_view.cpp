#include "ui/reader/page_view.h"

#include "engine/error.h"
#include "ui/palette_tints.h"

#include <QPainter>
#include <QScrollBar>

namespace ui {
namespace {

constexpr int kMargin = 12;

} // namespace

class PageView::Canvas final : public QWidget
{
public:
    explicit Canvas(PageView& view)
        : QWidget(&view)
        , m_view(view)
    {
        setAccessibleName(tr("Page"));
    }

protected:
    void paintEvent(QPaintEvent* /*event*/) override
    {
        QPainter painter(this);
        const QSizeF size = m_view.m_points * m_view.scale();
        const QRectF page(QPointF((width() - size.width()) / 2, kMargin), size);
        painter.fillRect(page, Qt::white); // paper
        if (!m_view.m_image.isNull())
            painter.drawImage(page, m_view.m_image);
        painter.translate(page.topLeft());
        painter.scale(m_view.scale(), m_view.scale());
        for (const PageMark& mark : m_view.m_retention)
            painter.fillRect(mark.box, keptTint(palette(), mark.strength));
        for (const PageMark& mark : m_view.m_citations)
            painter.fillRect(mark.box.adjusted(-1, -1, 1, 1), citationTint(palette()));
    }

private:
    PageView& m_view;
};

PageView::PageView(QWidget* parent)
    : QScrollArea(parent)
    , m_canvas(new Canvas(*this))
    , m_thread(
          std::make_unique<app::TaskThread<OpenFile>>([] { return std::make_unique<OpenFile>(); }))
{
    setWidget(m_canvas);
    setWidgetResizable(false);
    setAlignment(Qt::AlignHCenter);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Page of the document"));
    setBackgroundRole(QPalette::Mid);
}

PageView::~PageView() = default;

double PageView::scale() const
{
    if (m_points.isEmpty())
        return 1;
    const int room = viewport()->width() - 2 * kMargin;
    return std::max(0.1, m_zoom * room / m_points.width());
}

void PageView::setDocument(const QString& path)
{
    m_path = path;
}

void PageView::showPage(std::size_t index, QSizeF points)
{
    m_page = index;
    m_points = points;
    m_image = {};
    m_citations.clear();
    m_retention.clear();
    verticalScrollBar()->setValue(0);
    requestImage();
}

void PageView::setCitationMarks(std::vector<PageMark> marks)
{
    m_citations = std::move(marks);
    scrollToMarks();
    m_canvas->update();
}

void PageView::setRetentionMarks(std::vector<PageMark> marks)
{
    m_retention = std::move(marks);
    m_canvas->update();
}

void PageView::setZoom(double zoom)
{
    m_zoom = std::clamp(zoom, 0.25, 6.0);
    requestImage();
}

void PageView::resizeEvent(QResizeEvent* event)
{
    QScrollArea::resizeEvent(event);
    requestImage();
}

void PageView::requestImage()
{
    const QSizeF size = m_points * scale();
    m_canvas->resize(std::max(viewport()->width(), static_cast<int>(size.width()) + 2 * kMargin),
                     static_cast<int>(size.height()) + 2 * kMargin);
    m_canvas->update();
    if (m_path.isEmpty() || m_points.isEmpty())
        return;
    const quint64 request = ++m_request;
    const double pixels = scale() * devicePixelRatioF();
    m_thread->post([this, request, path = m_path, page = m_page, pixels](OpenFile& open) {
        QImage image;
        QString error;
        try {
            if (open.path != path || !open.renderer) {
                open.renderer = std::make_unique<app::PageRenderer>(path.toStdString());
                open.path = path;
            }
            image = open.renderer->render(page, pixels);
        } catch (const engine::Error& failure) {
            error = QString::fromStdString(failure.what());
        }
        QMetaObject::invokeMethod(
            this,
            [this, request, image, error] {
                if (request != m_request)
                    return;
                m_image = image;
                m_canvas->update();
                if (error.isEmpty())
                    emit drawn();
                else
                    emit failed(error);
            },
            Qt::QueuedConnection);
    });
}

void PageView::scrollToMarks()
{
    if (m_citations.empty())
        return;
    const double top = m_citations.front().box.top() * scale() + kMargin;
    verticalScrollBar()->setValue(static_cast<int>(top) - viewport()->height() / 3);
}

} // namespace ui
