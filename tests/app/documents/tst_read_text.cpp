#include "app/documents/document_reader.h"
#include "app/documents/import_limits.h"
#include "app/documents/sha256.h"
#include "engine/error.h"
#include "tests/app/documents/test_files.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>

using engine::ErrorCode;
using namespace std::string_literals;

namespace {

std::pair<ErrorCode, std::string> refusal(const std::filesystem::path& file)
{
    try {
        app::readDocument(file);
    } catch (const engine::Error& error) {
        return {error.code(), error.what()};
    }
    FAIL("read: " << file.string());
    return {};
}

} // namespace

TEST_CASE("a plain text keeps its words, its paragraphs and its pages")
{
    const tests::TemporaryFolder folder;
    const auto document =
        app::readDocument(folder.write("My notes.txt", "One.\r\n\r\nTwo two.\fPage two.\n"));
    CHECK(document.kind == app::DocumentKind::Text);
    CHECK(document.title == "My notes");
    CHECK(document.text == "One.\n\nTwo two.\nPage two.\n");
    CHECK(document.wordCount == 5);
    CHECK(document.detectedEncoding == "UTF-8");
    CHECK(document.warnings.empty());
    REQUIRE(document.pages.size() == 2);
    CHECK(document.pages[0].label == "1");
    CHECK(document.pages[0].range == app::ByteRange{0, 15});
    CHECK(document.pages[1].range == app::ByteRange{15, 25});
    CHECK(document.pages[1].hasText);
    CHECK(document.textSha256 == app::sha256Hex(document.text));
    CHECK(document.fileSha256 == app::sha256Hex("One.\r\n\r\nTwo two.\fPage two.\n"));
}

TEST_CASE("a text in another encoding is converted and says so")
{
    const tests::TemporaryFolder folder;
    const auto document = app::readDocument(
        folder.write("old.txt", "Die Stra\xdf"
                                "e f\xfchrt \xfc"
                                "ber die Br\xfc"
                                "cke zum Fl\xfc\xdf"
                                "chen. "
                                "Gr\xfc\xdf"
                                "e aus M\xfcnchen, sch\xf6ne \xc4pfel und B\xe4ume.\n"));
    CHECK(document.text.find("Straße führt über die Brücke") != std::string::npos);
    REQUIRE(document.warnings.size() == 1);
    CHECK(document.warnings[0].find(document.detectedEncoding) != std::string::npos);
}

TEST_CASE("Markdown stays as it is and gets an outline")
{
    const tests::TemporaryFolder folder;
    const std::string filler(2980, 'x');
    const auto document = app::readDocument(folder.write(
        "a.md", "# The Title\n\n" + filler + "\n\n## Second part\n\ntext\n\n### Third\n"));
    CHECK(document.kind == app::DocumentKind::Markdown);
    CHECK(document.title == "The Title");
    REQUIRE(document.pages.size() == 2);
    REQUIRE(document.outline.size() == 3);
    CHECK(document.outline[1] == app::OutlineEntry{"Second part", 1, 1});
    CHECK(document.outline[2] == app::OutlineEntry{"Third", 2, 1});
}

TEST_CASE("a file without suffix is told by its content")
{
    const tests::TemporaryFolder folder;
    CHECK(app::readDocument(folder.write("plain", "Some words.")).kind == app::DocumentKind::Text);
    CHECK(
        app::readDocument(folder.write("paper", tests::makePdf({{.texts = {{40, 300, "Words"}}}})))
            .kind == app::DocumentKind::Pdf);
    const auto book = folder.path() / "book.zip";
    tests::writeArchive(book, tests::bookWith({"<p>Text</p>"}));
    CHECK(app::readDocument(book).kind == app::DocumentKind::Epub);
}

TEST_CASE("names of files may hold anything")
{
    const tests::TemporaryFolder folder;
    for (const std::string& name : {"line\nfeed.txt"s, "invalid\xff.txt"s,
                                    std::string(250, 'n') + ".txt", "emoji 📚.txt"s, "%s%n.txt"s}) {
        const auto document = app::readDocument(folder.write(name, "text"));
        CHECK(document.text == "text");
        CHECK_FALSE(document.title.empty());
        CHECK(document.title.find('\n') == std::string::npos);
    }
    const auto pdf = folder.write("b\xfc"
                                  "cher.pdf",
                                  tests::makePdf({{.texts = {{40, 300, "Words"}}}}));
    CHECK(app::readDocument(pdf).wordCount == 1);
}

TEST_CASE("what cannot be read is one sentence that names the file")
{
    const tests::TemporaryFolder folder;
    const auto check = [](const std::filesystem::path& file, ErrorCode code) {
        const auto [found, sentence] = refusal(file);
        CAPTURE(sentence);
        CHECK(found == code);
        CHECK(sentence.find("“" + file.filename().string() + "”") != std::string::npos);
        CHECK(sentence.back() == '.');
    };
    check(folder.path() / "absent.txt", ErrorCode::NotFound);
    check(folder.path(), ErrorCode::BadInput);
    check("/dev/null", ErrorCode::BadInput);
    check(folder.write("empty.pdf", ""), ErrorCode::BadInput);
    check(folder.write("blank.txt", " \n \n"), ErrorCode::Unsupported);
    check(folder.write("binary.txt", "MZ\0\0\x01\x02\x03"s), ErrorCode::Unsupported);
    check(folder.write("word.docx", "PK\x03\x04"), ErrorCode::Unsupported);
    check(folder.write("text.pdf", "This is no PDF."), ErrorCode::Damaged);
    check(folder.write("text.epub", "This is no EPUB."), ErrorCode::Damaged);
    check(folder.write("picture", "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"s), ErrorCode::Unsupported);
}

TEST_CASE("files over the limits are refused before they are read")
{
    const tests::TemporaryFolder folder;
    const auto text = folder.write("long.txt", "x");
    std::filesystem::resize_file(text,
                                 app::ImportLimits::kTextFileBytes + 1); // a hole: takes no space
    CHECK(refusal(text).first == ErrorCode::TooLarge);
    CHECK(refusal(text).second.find("256 MB") != std::string::npos);
    const auto pdf = folder.write("huge.pdf", "%PDF-1.4\n");
    std::filesystem::resize_file(pdf, app::ImportLimits::kFileBytes + 1);
    CHECK(refusal(pdf).first == ErrorCode::TooLarge);
    CHECK(refusal(pdf).second.find("2 GB") != std::string::npos);
}

TEST_CASE("reading can be cancelled")
{
    const tests::TemporaryFolder folder;
    const auto pdf = folder.write("ten.pdf", tests::makePdf(std::vector<tests::PdfPage>(10)));
    std::stop_source stop;
    std::size_t pages = 0;
    ErrorCode code = ErrorCode::Internal;
    try {
        app::readDocument(
            pdf,
            [&](const app::ImportProgress& progress) {
                pages = progress.pagesRead;
                if (pages == 3)
                    stop.request_stop();
            },
            stop.get_token());
    } catch (const engine::Error& error) {
        code = error.code();
    }
    CHECK(code == ErrorCode::Cancelled);
    CHECK(pages == 3);
}
