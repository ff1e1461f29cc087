#include "app/documents/document_reader.h"
#include "app/documents/epub_package.h"
#include "app/documents/xhtml_text.h"
#include "app/documents/zip_archive.h"
#include "engine/error.h"
#include "tests/app/documents/test_files.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fstream>
#include <iterator>
#include <string>

using engine::ErrorCode;

namespace {

std::string textOf(const std::string& body)
{
    app::XhtmlText text;
    app::visitMarkup("<html xmlns:epub=\"e\"><head><title>no</title></head><body>" + body +
                         "</body></html>",
                     "“page”", text);
    return text.result();
}

class Books
{
public:
    std::filesystem::path write(const tests::ArchiveEntries& entries) const
    {
        const auto file = m_folder.path() / "book.epub";
        tests::writeArchive(file, entries);
        return file;
    }
    app::ImportedDocument read(const tests::ArchiveEntries& entries) const
    {
        return app::readDocument(write(entries));
    }
    ErrorCode refusal(const tests::ArchiveEntries& entries) const
    {
        try {
            read(entries);
        } catch (const engine::Error& error) {
            CHECK(std::string(error.what()).find("“book.epub”") != std::string::npos);
            return error.code();
        }
        FAIL("read");
        return ErrorCode::Internal;
    }

private:
    tests::TemporaryFolder m_folder;
};

void replaceEntry(tests::ArchiveEntries& entries, const std::string& name,
                  const std::string& content)
{
    const auto found =
        std::ranges::find(entries, name, [](const auto& entry) { return entry.first; });
    REQUIRE(found != entries.end());
    found->second = content;
}

void replaceAll(std::string& text, const std::string& from, const std::string& to)
{
    for (std::size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

} // namespace

TEST_CASE("markup becomes paragraphs, lines and words as a reader sees them")
{
    CHECK(textOf("<p>One\n  two.</p><p>Three<b>four</b> <i>five</i>.</p>") ==
          "One two.\n\nThreefour five.");
    CHECK(textOf("<p>verse<br/>line<br/><br/>next</p>") == "verse\nline\n\nnext");
    CHECK(textOf("<ul><li>a</li><li><p>b</p></li></ul><ol><li>c</li><li>d</li></ol>") ==
          "- a\n\n- b\n\n1. c\n2. d");
    CHECK(textOf("<table><tr><th>h</th><th/><td><p>i</p><p>j</p></td></tr><tr><td>k</td><td>l</"
                 "td></tr></table>") == "h | i j\nk | l");
    CHECK(textOf("<p>a</p><hr/><p>b</p>") == "a\n\n* * *\n\nb");
    CHECK(textOf("<hgroup><h2>I</h2><p>The Name</p></hgroup><p>t</p>") == "I\nThe Name\n\nt");
    CHECK(textOf("<pre>a  b\n c</pre>") == "a  b\n c");
    CHECK(
        textOf("<p>word<a epub:type=\"noteref\" href=\"#n\">1</a> more<script>x()</script></p>") ==
        "word more");
    CHECK(textOf("<p>soft\u00adhyphen, \u201c\u200a\u2018hair\u2019\u00a0non\u2060break</p>") ==
          "softhyphen, “‘hair’ nonbreak");
    CHECK(textOf("<svg><text>no</text></svg><p>a &amp; b &#8212; c</p>") == "a & b — c");
}

TEST_CASE("pages that are not XML, or use the entities of HTML, are read as HTML")
{
    CHECK(textOf("<p>one<br>two<p>three &mdash; four&nbsp;five") ==
          "one\ntwo\n\nthree — four five");
    CHECK(textOf("<p>Fish &eacute; &unknown; chips</p>") == "Fish é &unknown; chips");
}

TEST_CASE("entities of a document's own are never expanded")
{
    std::string bomb = "<!DOCTYPE html [<!ENTITY a \"lol\">";
    for (char name = 'b'; name <= 'k'; ++name) {
        bomb.append("<!ENTITY ").append(1, name).append(" \"");
        for (int i = 0; i < 10; ++i)
            bomb.append("&").append(1, static_cast<char>(name - 1)).append(";");
        bomb.append("\">");
    }
    app::XhtmlText text;
    app::visitMarkup(bomb + "]><html><body><p>&k;</p></body></html>", "“page”", text);
    CHECK(text.result().size() < 2000);
    app::XhtmlText file;
    app::visitMarkup("<!DOCTYPE html [<!ENTITY f SYSTEM "
                     "\"file:///etc/passwd\">]><html><body><p>&f;</p></body></html>",
                     "“page”", file);
    CHECK(file.result().find("root:") == std::string::npos);
}

TEST_CASE("deep nesting is refused, not followed")
{
    const auto nest = [](int depth, const char* open, const char* close) {
        std::string text;
        for (int i = 0; i < depth; ++i)
            text += open;
        text += "deep";
        for (int i = 0; i < depth; ++i)
            text += close;
        return text;
    };
    CHECK(textOf(nest(200, "<div>", "</div>")) == "deep");
    CHECK_THROWS_AS(textOf(nest(300, "<div>", "</div>")), engine::Error);
    CHECK_THROWS_AS(textOf(nest(1'000'000, "<b>", "</b>")), engine::Error);
    CHECK_THROWS_AS(textOf(nest(1'000'000, "<b>", "")), engine::Error);
    CHECK_THROWS_AS(textOf("&nbsp;" + nest(1'000'000, "<b/>", "")), engine::Error);
}

TEST_CASE("a book has its parts in order, its pages, its outline and its names")
{
    const Books books;
    const std::string longText(2000, 'x');
    const auto document = books.read(tests::bookWith(
        {"<p>First part.</p>",
         "<p>" + longText + "</p><p>" + longText + "</p><p>" + longText + "</p>", "<p>Last.</p>"}));
    CHECK(document.kind == app::DocumentKind::Epub);
    CHECK(document.title == "A Small Book");
    CHECK(document.author == "Ann Author; Bob Writer");
    CHECK(document.text.starts_with("First part.\n\nxxx"));
    CHECK(document.text.ends_with("x\n\nLast.\n\n"));
    REQUIRE(document.pages.size() == 5);
    CHECK(document.pages[4].label == "5");
    REQUIRE(document.outline.size() == 3);
    CHECK(document.outline[1] == app::OutlineEntry{"Part 2", 0, 1});
    CHECK(document.outline[2] == app::OutlineEntry{"Part 3", 0, 4});
}

TEST_CASE("an outline entry with an anchor leads to the page of the anchor")
{
    const Books books;
    const std::string longText(2998, 'x');
    auto entries = tests::bookWith(
        {"<p>" + longText + "</p><section id=\"here\"><h2>Here</h2><p>Text.</p></section>"});
    replaceEntry(
        entries, "OPS/nav.xhtml",
        "<html xmlns:epub=\"e\"><body><nav epub:type=\"toc\"><ol><li><span>Group</span><ol>"
        "<li><a href=\"part1.xhtml#here\">Here</a></li></ol></li></ol></nav>"
        "<nav epub:type=\"landmarks\"><ol><li><a "
        "href=\"part1.xhtml\">No</a></li></ol></nav></body></html>");
    const auto document = books.read(entries);
    REQUIRE(document.outline.size() == 2);
    CHECK(document.outline[0] == app::OutlineEntry{"Group", 0, 1});
    CHECK(document.outline[1] == app::OutlineEntry{"Here", 1, 1});
}

TEST_CASE("the contents of EPUB 2 are read from its NCX")
{
    const Books books;
    auto entries = tests::bookWith({"<p>One.</p>", "<p>Two.</p>"});
    for (auto& [name, content] : entries) {
        if (name == "OPS/package.opf") {
            replaceAll(content,
                       "href=\"nav.xhtml\" media-type=\"application/xhtml+xml\" properties=\"nav\"",
                       "href=\"toc.ncx\" media-type=\"application/x-dtbncx+xml\"");
        }
    }
    entries.emplace_back(
        "OPS/toc.ncx",
        "<ncx xmlns=\"http://www.daisy.org/z3986/2005/ncx/\"><navMap><navPoint>"
        "<navLabel><text>Outer</text></navLabel><content src=\"part1.xhtml\"/><navPoint>"
        "<navLabel><text>Inner</text></navLabel><content src=\"part2.xhtml#a\"/></navPoint>"
        "</navPoint></navMap></ncx>");
    const auto document = books.read(entries);
    REQUIRE(document.outline.size() == 2);
    CHECK(document.outline[0] == app::OutlineEntry{"Outer", 0, 0});
    CHECK(document.outline[1] == app::OutlineEntry{"Inner", 1, 1});
}

TEST_CASE("books that cannot be read say why")
{
    const Books books;
    CHECK(books.refusal({{"a.txt", "text"}}) == ErrorCode::Unsupported); // no container
    CHECK(books.refusal(tests::bookWith({"<img src=\"a.png\"/>"})) == ErrorCode::Unsupported);
    auto broken = tests::bookWith({"<p>x</p>"});
    replaceEntry(broken, "OPS/package.opf", "<package><metadata>");
    CHECK(books.refusal(broken) == ErrorCode::Damaged);
    auto lost = tests::bookWith({"<p>x</p>"});
    replaceEntry(lost, "META-INF/container.xml", "<container><rootfiles/></container>");
    CHECK(books.refusal(lost) == ErrorCode::Damaged);
}

TEST_CASE("copy protection is named, scrambled fonts are not mistaken for it")
{
    const Books books;
    const auto with = [](const std::string& method) {
        auto entries = tests::bookWith({"<p>Text.</p>"});
        entries.emplace_back(
            "META-INF/encryption.xml",
            "<encryption xmlns:enc=\"http://www.w3.org/2001/04/xmlenc#\"><enc:EncryptedData>"
            "<enc:EncryptionMethod Algorithm=\"" +
                method + "\"/></enc:EncryptedData></encryption>");
        return entries;
    };
    CHECK(books.refusal(with("http://www.w3.org/2001/04/xmlenc#aes128-cbc")) ==
          ErrorCode::Unsupported);
    CHECK(books.read(with("http://www.idpf.org/2008/embedding")).wordCount == 1);
}

TEST_CASE("names in an archive lead nowhere else")
{
    CHECK(app::resolveArchivePath("OPS/package.opf", "text/a%20b.xhtml#id") ==
          "OPS/text/a b.xhtml");
    CHECK(app::resolveArchivePath("OPS/nav.xhtml", "../x.xhtml") == "x.xhtml");
    CHECK(app::resolveArchivePath("OPS/nav.xhtml", "../../etc/passwd").empty());
    CHECK(app::resolveArchivePath("OPS/nav.xhtml", "http://example.org/a").empty());
    CHECK(app::resolveArchivePath("OPS/nav.xhtml", "/etc/passwd") == "etc/passwd");
    CHECK(app::resolveArchivePath("a.opf", "a%00b").empty());

    const Books books;
    auto entries = tests::bookWith({"<p>Text.</p>"});
    for (auto& [name, content] : entries)
        replaceAll(content, "href=\"part1.xhtml\" media",
                   "href=\"../../../../../../etc/passwd\" media");
    CHECK(books.refusal(entries) == ErrorCode::Unsupported);
}

TEST_CASE("an archive that unpacks to far more than it holds is refused")
{
    const Books books;
    CHECK(books.refusal(tests::bookWith({"<p>" + std::string(50'000'000, ' ') + "</p>"})) ==
          ErrorCode::TooLarge);
    tests::ArchiveEntries many = tests::bookWith({"<p>x</p>"});
    for (int i = 0; i <= app::ZipArchive::kMaxEntries; ++i)
        many.emplace_back(std::to_string(i) + ".txt", "");
    CHECK(books.refusal(many) == ErrorCode::TooLarge);
}

TEST_CASE("sizes that lie, and damaged bytes, are errors and never a crash")
{
    const Books books;
    std::string body;
    for (int i = 0; i < 3000; ++i)
        body += "<p>Paragraph " + std::to_string(i * 7919) + "</p>";
    const auto file = books.write(tests::bookWith({body}));
    std::ifstream stream(file, std::ios::binary);
    const std::string good((std::istreambuf_iterator<char>(stream)),
                           std::istreambuf_iterator<char>());
    int refused = 0;
    for (std::size_t at = 0; at < good.size(); at += 1 + good.size() / 300) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 0x55);
        std::ofstream(file, std::ios::binary)
            .write(bad.data(), static_cast<std::streamsize>(bad.size()));
        try {
            app::readDocument(file);
        } catch (const engine::Error&) {
            ++refused;
        }
    }
    CHECK(refused > 100);
}
