// The handbook as it was built: what the program will find in its sample document.

#include <QString>

#include <poppler-qt6.h>

#include <doctest/doctest.h>
#include <memory>

namespace {

constexpr auto kPath = BINARY_DIR "/resources/handbook.pdf";
constexpr int kFrontPages = 3;

std::unique_ptr<Poppler::Document> handbook()
{
    auto document = Poppler::Document::load(QString::fromUtf8(kPath));
    REQUIRE_MESSAGE(document != nullptr, "there is no readable PDF at ", kPath);
    return document;
}

/// Everything with single blanks, page after page.
QString textOf(const Poppler::Document& document)
{
    QString text;
    for (int i = 0; i < document.numPages(); ++i) {
        text += document.page(i)->text(QRectF()) + QLatin1Char(' ');
    }
    return text.simplified();
}

TEST_CASE("the handbook has at least twenty pages and none without text")
{
    const auto document = handbook();
    CHECK(document->numPages() >= 20);
    for (int i = 0; i < document->numPages(); ++i) {
        CHECK_FALSE(document->page(i)->text(QRectF()).trimmed().isEmpty());
    }
}

TEST_CASE("front matter has roman labels and the first chapter starts with page 1")
{
    const auto document = handbook();
    CHECK(document->page(0)->label() == "i");
    CHECK(document->page(kFrontPages - 1)->label() == "iii");
    CHECK(document->page(kFrontPages)->label() == "1");
    const int last = document->numPages() - 1;
    CHECK(document->page(last)->label() == QString::number(last - kFrontPages + 1));
}

TEST_CASE("every line of the outline stands as a heading on the page it points to")
{
    const auto document = handbook();
    const auto chapters = document->outline();
    REQUIRE(chapters.size() >= 15);
    int sections = 0;
    const auto check = [&](const Poppler::OutlineItem& item) {
        const auto destination = item.destination();
        REQUIRE(destination != nullptr);
        const auto page = document->page(destination->pageNumber() - 1);
        REQUIRE(page != nullptr);
        const QString text = page->text(QRectF()).simplified();
        INFO(item.name().toStdString());
        CHECK(text.contains(item.name().simplified()));
    };
    for (const auto& chapter : chapters) {
        check(chapter);
        for (const auto& section : chapter.children()) {
            check(section);
            ++sections;
        }
    }
    CHECK(sections >= 40);
}

TEST_CASE("ligatures do not hide letters")
{
    const QString text = textOf(*handbook());
    for (const char* word : {"first", "file", "finished", "different", "offers"}) {
        INFO(word);
        CHECK(text.contains(QLatin1String(word)));
    }
}

TEST_CASE("no line is drawn on two pages")
{
    const auto document = handbook();
    QString previous;
    for (int i = 0; i < document->numPages(); ++i) {
        QStringList lines = document->page(i)->text(QRectF()).split(u'\n');
        lines.removeIf([](const QString& line) { return line.trimmed().isEmpty(); });
        REQUIRE_FALSE(lines.isEmpty());
        INFO("page ", i + 1, ": ", lines.front().toStdString());
        CHECK(lines.front().trimmed() != previous);
        const bool endsWithNumber = i >= kFrontPages - 1 && lines.size() > 1;
        previous = lines[lines.size() - (endsWithNumber ? 2 : 1)].trimmed();
    }
}

TEST_CASE("the questions of installer/run.sh have exactly one answer in the book")
{
    struct Fact
    {
        const char* ending; // the last three words of the quotation
        const char* answer;
    };
    const QString text = textOf(*handbook());
    for (const Fact& fact :
         {Fact{"a size of", "thirty-two mebibytes"},
          Fact{"high water at", "seventeen minutes past four"},
          Fact{"colour called burnt", "saffron"}, Fact{"two hundred and", "nine steps"},
          Fact{"three short blasts", "every forty-two seconds"}}) {
        const QString ending = QString::fromUtf8(fact.ending);
        INFO(fact.ending);
        CHECK(text.count(ending) == 1);
        CHECK(text.contains(ending + QLatin1Char(' ') + QString::fromUtf8(fact.answer)));
    }
}

} // namespace
