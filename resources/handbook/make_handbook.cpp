// make_handbook CHAPTERS OUT.pdf VERSION: typesets the Markdown files of a folder, in the order of
// their names.

#include <QBuffer>
#include <QDir>
#include <QFile>
#include <QGuiApplication>
#include <QPageSize>
#include <QPainter>
#include <QPdfWriter>
#include <QSaveFile>

#include <exception>
#include <iostream>
#include <stdexcept>
#include <vector>

#include "resources/handbook/chapter.h"
#include "resources/handbook/front_matter.h"
#include "resources/handbook/pdf_outline.h"
#include "resources/handbook/typography.h"

namespace {

constexpr QSizeF kPageMillimetres(176, 250); // ISO B5
constexpr QMarginsF kMarginMillimetres(22, 20, 22, 25);
constexpr int kResolution = 1200;
constexpr int kFrontPages = 3; // title, imprint, contents
constexpr double kPointsPerInch = 72.0;

double units(double points)
{
    return points * kResolution / kPointsPerInch;
}

std::vector<handbook::Chapter> readChapters(const QString& folder, const QSizeF& area,
                                            QPagedPaintDevice& device)
{
    std::vector<handbook::Chapter> chapters;
    const QDir dir(folder);
    for (const QString& name : dir.entryList({QStringLiteral("*.md")}, QDir::Files, QDir::Name)) {
        QFile file(dir.filePath(name));
        if (!file.open(QFile::ReadOnly)) {
            throw std::runtime_error("The chapter " + name.toStdString() + " cannot be read");
        }
        const int number = static_cast<int>(chapters.size()) + 1;
        chapters.emplace_back(QString::fromUtf8(file.readAll()), number, area, device);
    }
    if (chapters.empty()) {
        throw std::runtime_error("There is no chapter in " + folder.toStdString());
    }
    return chapters;
}

void paintFolio(QPainter& painter, const QSizeF& area, const QString& label)
{
    painter.setFont(handbook::sansFont(9.5));
    painter.setPen(handbook::kFaint);
    const QRectF strip(0, area.height() + units(22), area.width(), units(14));
    painter.drawText(strip, Qt::AlignHCenter | Qt::AlignTop, label);
}

/// Draws everything and returns the lines of the outline.
QList<handbook::OutlineEntry> paintBook(QPdfWriter& writer,
                                        const std::vector<handbook::Chapter>& chapters,
                                        const QSizeF& area, const QString& version)
{
    QList<handbook::ContentsLine> contents;
    QList<handbook::OutlineEntry> outline;
    const double upperEdge =
        (kPageMillimetres.height() - kMarginMillimetres.top()) / 25.4 * kPointsPerInch;
    outline.push_back({QStringLiteral("Contents"), 0, kFrontPages - 1, upperEdge});
    int first = 0;
    for (const handbook::Chapter& chapter : chapters) {
        contents.push_back({chapter.title(), QString::number(first + 1)});
        for (const handbook::Heading& heading : chapter.headings()) {
            const double top = upperEdge - heading.top * kPointsPerInch / kResolution;
            outline.push_back(
                {heading.title, heading.level - 1, kFrontPages + first + heading.page, top});
        }
        first += chapter.pageCount();
    }

    QPainter painter(&writer);
    handbook::paintTitlePage(painter, area, version);
    writer.newPage();
    handbook::paintImprint(painter, area, version);
    writer.newPage();
    handbook::paintContents(painter, area, contents);
    paintFolio(painter, area, QStringLiteral("iii"));
    int label = 0;
    for (const handbook::Chapter& chapter : chapters) {
        for (int page = 0; page < chapter.pageCount(); ++page) {
            writer.newPage();
            chapter.paint(painter, page);
            paintFolio(painter, area, QString::number(++label));
        }
    }
    return outline;
}

void makeHandbook(const QString& folder, const QString& target, const QString& version)
{
    QByteArray pdf;
    QBuffer buffer(&pdf);
    buffer.open(QIODevice::WriteOnly);
    QList<handbook::OutlineEntry> outline;
    {
        QPdfWriter writer(&buffer);
        writer.setResolution(kResolution);
        writer.setPageSize(QPageSize(kPageMillimetres, QPageSize::Millimeter));
        writer.setPageMargins(kMarginMillimetres, QPageLayout::Millimeter);
        writer.setTitle(QStringLiteral("Epitome: the handbook"));
        writer.setCreator(QStringLiteral("Epitome"));
        const QSizeF area = writer.pageLayout().paintRectPixels(kResolution).size();
        outline = paintBook(writer, readChapters(folder, area, writer), area, version);
    }
    const QByteArray complete =
        handbook::withOutline(pdf, outline,
                              {{.firstPage = 0, .style = handbook::LabelStyle::LowerRoman},
                               {.firstPage = kFrontPages, .style = handbook::LabelStyle::Decimal}});
    QSaveFile file(target);
    if (!file.open(QFile::WriteOnly) || file.write(complete) != complete.size() || !file.commit()) {
        throw std::runtime_error("The handbook cannot be written to " + target.toStdString());
    }
}

} // namespace

int main(int argc, char* argv[])
{
    qputenv("QT_QPA_PLATFORM", "offscreen"); // fonts are needed, a display is not
    const QGuiApplication application(argc, argv);
    const QStringList arguments = QGuiApplication::arguments();
    if (arguments.size() != 4) {
        std::cerr << "Usage: make_handbook CHAPTERS OUT.pdf VERSION\n";
        return 2;
    }
    try {
        makeHandbook(arguments[1], arguments[2], arguments[3]);
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
