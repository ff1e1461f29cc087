#include <QBuffer>
#include <QPainter>
#include <QPdfWriter>

#include <poppler-qt6.h>

#include <doctest/doctest.h>
#include <stdexcept>

#include "resources/handbook/pdf_outline.h"

namespace {

/// Three empty pages.
QByteArray plainPdf()
{
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QPdfWriter writer(&buffer);
    QPainter painter(&writer);
    writer.newPage();
    writer.newPage();
    painter.end();
    return bytes;
}

TEST_CASE("titles outside Latin, nesting and labels come back from the reader")
{
    const QByteArray plain = plainPdf();
    const QByteArray pdf = handbook::withOutline(
        plain,
        {{.title = QStringLiteral("Ένα"), .level = 0, .pageIndex = 0, .top = 700},
         {.title = QStringLiteral("(a) \\ 𝛼"), .level = 1, .pageIndex = 1, .top = 20},
         {.title = QStringLiteral("b"), .level = 1, .pageIndex = 2, .top = 20},
         {.title = QStringLiteral("Two"), .level = 0, .pageIndex = 2, .top = 100}},
        {{.firstPage = 0, .style = handbook::LabelStyle::LowerRoman},
         {.firstPage = 1, .style = handbook::LabelStyle::Decimal}});
    CHECK(pdf.startsWith(plain));

    const auto document = Poppler::Document::loadFromData(pdf);
    REQUIRE(document != nullptr);
    CHECK(document->page(0)->label() == "i");
    CHECK(document->page(1)->label() == "1");
    CHECK(document->page(2)->label() == "2");
    const auto outline = document->outline();
    REQUIRE(outline.size() == 2);
    CHECK(outline[0].name() == QStringLiteral("Ένα"));
    CHECK(outline[0].destination()->pageNumber() == 1);
    REQUIRE(outline[0].children().size() == 2);
    CHECK(outline[0].children()[0].name() == QStringLiteral("(a) \\ 𝛼"));
    CHECK(outline[0].children()[1].destination()->pageNumber() == 3);
    CHECK(outline[1].children().isEmpty());
}

TEST_CASE(
    "an outline that skips a level, a page that is not there and a file that is no PDF are refused")
{
    const QByteArray plain = plainPdf();
    CHECK_THROWS_AS(handbook::withOutline(plain, {{.title = QStringLiteral("x"), .level = 1}}, {}),
                    std::runtime_error);
    CHECK_THROWS_AS(
        handbook::withOutline(plain, {{.title = QStringLiteral("x"), .pageIndex = 3}}, {}),
        std::runtime_error);
    CHECK_THROWS_AS(handbook::withOutline("no PDF at all", {}, {}), std::runtime_error);
    CHECK_THROWS_AS(handbook::withOutline(plain.left(plain.size() / 2), {}, {}),
                    std::runtime_error);
}

} // namespace
