#include "app/documents/document_reader.h"
#include "app/documents/page_renderer.h"
#include "app/documents/pdf_layout.h"
#include "engine/error.h"
#include "tests/app/documents/test_files.h"

#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <vector>

using engine::ErrorCode;

namespace {

std::string wordText(const app::ImportedDocument& document, const app::ImportedWord& word)
{
    return document.text.substr(word.range.begin, word.range.end - word.range.begin);
}

app::ImportedDocument read(const std::vector<tests::PdfPage>& pages,
                           const std::string& catalog = {})
{
    const tests::TemporaryFolder folder;
    return app::readDocument(folder.write("test.pdf", tests::makePdf(pages, catalog)));
}

/// Words of one line in order, 10 points high, each letter 5 points wide.
void addLine(std::vector<app::PrintedWord>& words, float x, float y,
             const std::vector<std::string>& texts)
{
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto width = static_cast<float>(texts[i].size() * 5);
        words.push_back({texts[i], x, y, width, 10, i + 1 < texts.size()});
        x += width + 3;
    }
}

} // namespace

TEST_CASE("a PDF's words have their letters and their boxes")
{
    const auto document = read({{.texts = {{40, 350, "Hello brave"}, {40, 338, "new world."}}}});
    CHECK(document.kind == app::DocumentKind::Pdf);
    CHECK(document.title == "test");
    CHECK(document.text == "Hello brave new world.\n\n");
    REQUIRE(document.pages.size() == 1);
    const app::ImportedPage& page = document.pages[0];
    CHECK(page.width == 300);
    CHECK(page.height == 400);
    CHECK(page.label == "1");
    CHECK(page.hasText);
    REQUIRE(page.words.size() == 4);
    CHECK(wordText(document, page.words[3]) == "world.");
    CHECK(page.words[0].x == doctest::Approx(40).epsilon(0.01));
    CHECK(page.words[0].y < 50); // baseline 350 of 400 from below is 50 from above
    CHECK(page.words[0].y + page.words[0].height > 50);
    CHECK(page.words[2].y == doctest::Approx(page.words[0].y + 12).epsilon(0.01));
}

TEST_CASE("a word hyphenated at a line end is one word with two boxes")
{
    const auto document = read({{.texts = {{40, 350, "This is an exam-"},
                                           {40, 338, "ple of hyphens: well-"},
                                           {40, 326, "Known names - stay."}}}});
    CHECK(document.text.find("an example of") != std::string::npos);
    CHECK(document.text.find("well- Known") !=
          std::string::npos); // a capital does not continue a word
    const auto& words = document.pages[0].words;
    REQUIRE(words.size() > 5);
    CHECK(wordText(document, words[3]) == "exam");
    CHECK(wordText(document, words[4]) == "ple");
    CHECK(words[3].range.end == words[4].range.begin);
    CHECK(words[4].y > words[3].y);
    CHECK(document.wordCount == 11);
}

TEST_CASE("paragraphs end at gaps, sizes and indents, lines of verse stay lines")
{
    std::vector<app::PrintedWord> words;
    const std::vector<std::string> full = {"fullline", "fullline", "fullline", "fullline"};
    addLine(words, 50, 100, full);
    addLine(words, 50, 112, {"end."});
    addLine(words, 60, 124, {"Indented", "fullline", "fullline", "fullli"});
    addLine(words, 50, 136, full);
    addLine(words, 50, 148, full);
    addLine(words, 50, 180, {"After", "a", "gap"});
    addLine(words, 50, 192, {"verse", "two"});
    CHECK(app::layoutPdfPage(words).text ==
          "fullline fullline fullline fullline end.\n\n"
          "Indented fullline fullline fullli fullline fullline fullline fullline "
          "fullline fullline fullline fullline\n\nAfter a gap verse two\n");
}

TEST_CASE("two columns come one after the other, also when the right one arrives first")
{
    std::vector<app::PrintedWord> words;
    addLine(words, 50, 40, {"Heading"});
    for (int line = 0; line < 6; ++line)
        addLine(words, 300, 100.0F + 12.0F * static_cast<float>(line),
                {"right", "column", "words"});
    for (int line = 0; line < 6; ++line)
        addLine(words, 50, 100.0F + 12.0F * static_cast<float>(line),
                {"leftish", "column", "words"});
    const std::string text = app::layoutPdfPage(words).text;
    CHECK(text.find("leftish") < text.find("right"));
    CHECK(text.find("Heading") < text.find("leftish"));
    CHECK(text.rfind("leftish") < text.find("right"));
}

TEST_CASE("pieces without a space between them are one word with two boxes")
{
    const auto content = app::layoutPdfPage({{"Super", 50, 100, 25, 10, false},
                                             {"3", 75.2F, 97, 3, 6, true},
                                             {"next", 82, 100, 20, 10, false}});
    CHECK(content.text == "Super3 next\n");
    CHECK(content.page.words.size() == 3);
}

TEST_CASE("page labels and the outline come from the document")
{
    const auto document =
        read({{}, {.texts = {{40, 350, "Two"}}}, {.texts = {{40, 350, "Three"}}}},
             "/PageLabels << /Nums [ 0 << /S /r /St 4 >> 2 << /S /D /St 1 /P (A-) >> ] >> "
             "/Outlines << /Type /Outlines /Count 1 /First << /Title (Chapter) /Dest [ 6 0 R /Fit "
             "] >> >>");
    REQUIRE(document.pages.size() == 3);
    CHECK(document.pages[0].label == "iv");
    CHECK(document.pages[1].label == "v");
    CHECK(document.pages[2].label == "A-1");
}

TEST_CASE("pages without text are told from blank ones")
{
    const auto document =
        read({{.texts = {{40, 350, "Text."}}}, {}, {.drawing = "0.5 g 50 50 100 100 re f"}});
    REQUIRE(document.pages.size() == 3);
    CHECK_FALSE(document.pages[1].hasText);
    CHECK(document.pages[1].blank);
    CHECK_FALSE(document.pages[2].hasText);
    CHECK_FALSE(document.pages[2].blank);
    CHECK(document.pagesWithoutText == 1);
    REQUIRE(document.warnings.size() == 1);
    CHECK(document.warnings[0].starts_with("1 of 3 pages have no text"));
}

TEST_CASE("damaged and cut files are refused or read in part, never a crash")
{
    const tests::TemporaryFolder folder;
    const std::string good =
        tests::makePdf({{.texts = {{40, 350, "Some words here"}}}, {.texts = {{40, 350, "More"}}}});
    for (std::size_t length = 9; length < good.size(); length += 37) {
        try {
            app::readDocument(folder.write("cut.pdf", good.substr(0, length)));
        } catch (const engine::Error& error) {
            CHECK(error.code() == ErrorCode::Damaged);
        }
    }
    for (std::size_t at = 9; at < good.size(); at += 11) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x15);
        try {
            app::readDocument(folder.write("bad.pdf", bad));
        } catch (const engine::Error& error) {
            CHECK(std::string(error.what()).find("“bad.pdf”") != std::string::npos);
        }
    }
}

TEST_CASE("a PDF that needs a password is refused with the reason")
{
    const tests::TemporaryFolder folder;
    std::string pdf = tests::makePdf({{.texts = {{40, 350, "Secret."}}}});
    const std::string key(32, 'k');
    const std::string root = "/Root 1 0 R";
    pdf.replace(pdf.find(root, pdf.find("trailer")), root.size(),
                root + " /ID [ <00> <00> ] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O (" +
                    key + ") /U (" + key + ") >>");
    try {
        app::readDocument(folder.write("locked.pdf", pdf));
        FAIL("read");
    } catch (const engine::Error& error) {
        CHECK(error.code() == ErrorCode::Unsupported);
        CHECK(std::string(error.what()).starts_with("“locked.pdf” is protected with a password."));
    }
}

TEST_CASE("a picture of a page never grows over its limit")
{
    CHECK(app::cappedScale(600, 800, 2) == 2);
    const double scale = app::cappedScale(14'400, 14'400, 96.0 / 72);
    CHECK(14'400 * scale * 14'400 * scale <= app::kMaxPagePixels * 1.001);
    CHECK(app::cappedScale(0, 100, 1) == 0);
    CHECK(app::cappedScale(100, 100, -1) == 0);
    CHECK(app::cappedScale(std::numeric_limits<double>::infinity(), 100, 1) == 0);

    const tests::TemporaryFolder folder;
    const auto file = folder.write(
        "large.pdf",
        tests::makePdf({{.drawing = "0 g 0 0 7200 14400 re f", .width = 14400, .height = 14400},
                        {.width = 1, .height = 20000},
                        {.texts = {{40, 350, "x"}}}}));
    const app::PageRenderer renderer(file);
    CHECK(renderer.pageCount() == 3);
    const QImage large = renderer.render(0, 3);
    CHECK(large.width() * large.height() <= 16'100'000);
    CHECK(large.width() > 3900);
    CHECK(qGray(large.pixel(100, 100)) < 10);
    CHECK(qGray(large.pixel(large.width() - 100, 100)) > 245);
    CHECK_FALSE(renderer.render(1, 1).isNull());
    CHECK(renderer.render(2, 2).size() == QSize(600, 800));
    CHECK(app::renderPdfPage(file, 2, 1).size() == QSize(300, 400));
    CHECK_THROWS_AS(renderer.render(3, 1), engine::Error);

    std::stop_source stop;
    stop.request_stop();
    CHECK(renderer.render(2, 1, stop.get_token()).isNull());
}
