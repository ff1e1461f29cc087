#pragma once

#include "app/documents/page_renderer.h"
#include "app/session/task_thread.h"
#include "ui/reader/page_marks.h"

#include <QImage>
#include <QScrollArea>

class QLabel;

namespace ui {

/// One page of a PDF as it is printed, with marks over its words. Drawn on a thread of its own, as
/// sharp as the screen shows it; what comes late belongs to an older request and is dropped.
class PageView final : public QScrollArea
{
    Q_OBJECT
public:
    explicit PageView(QWidget* parent = nullptr);
    ~PageView() override;

    void setDocument(const QString& path);
    void showPage(std::size_t index, QSizeF points);
    void setCitationMarks(std::vector<PageMark> marks);
    void setRetentionMarks(std::vector<PageMark> marks);

    /// Factor on "fit to width".
    void setZoom(double zoom);
    double zoom() const { return m_zoom; }
    std::size_t citationMarkCount() const { return m_citations.size(); }
    bool isDrawn() const { return !m_image.isNull(); }

signals:
    void drawn();
    void failed(QString sentence);

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    class Canvas;
    struct OpenFile
    {
        QString path;
        std::unique_ptr<app::PageRenderer> renderer;
    };

    void requestImage();
    void scrollToMarks();
    double scale() const; // logical pixels per point

    Canvas* m_canvas;
    QString m_path;
    std::size_t m_page = 0;
    QSizeF m_points;
    QImage m_image;
    std::vector<PageMark> m_citations;
    std::vector<PageMark> m_retention;
    double m_zoom = 1;
    quint64 m_request = 0;
    std::unique_ptr<app::TaskThread<OpenFile>> m_thread; // last: ends before what it reports to
};

} // namespace ui
