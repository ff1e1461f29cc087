// Whole books from the reference data beside the project. Where it is absent these tests say so and
// pass.

#include "app/documents/document_reader.h"
#include "app/documents/import_worker.h"
#include "app/documents/markup.h"
#include "app/documents/utf8.h"
#include "app/documents/xhtml_text.h"
#include "app/documents/zip_archive.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

const std::filesystem::path kCorpus = std::filesystem::path(SHARED_DIR) / "corpus";

std::vector<std::filesystem::path> filesOf(const std::string& folder)
{
    std::vector<std::filesystem::path> files;
    if (std::filesystem::exists(kCorpus / folder)) {
        for (const auto& entry : std::filesystem::directory_iterator(kCorpus / folder))
            files.push_back(entry.path());
    }
    std::ranges::sort(files);
    if (files.empty())
        MESSAGE("SKIPPED: no reference books in " << (kCorpus / folder).string());
    return files;
}

/// Output of a command line tool; empty if it is not installed.
std::string outputOf(const std::string& command)
{
    std::string output;
    std::array<char, 65536> buffer{};
    FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
    if (pipe == nullptr)
        return output;
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
        output.append(buffer.data(), got);
    pclose(pipe);
    return output;
}

std::size_t pagesByPdfinfo(const std::filesystem::path& file)
{
    const std::string output = outputOf("pdfinfo '" + file.string() + "'");
    const std::size_t line = output.find("\nPages:");
    return line == std::string::npos ? 0 : std::stoul(output.substr(line + 7));
}

struct WordCounts
{
    std::size_t raw = 0;
    std::size_t joined = 0;
};

/// pdftotext joins the halves of a word at "-" but not at U+2010, which is the same hyphen in
/// another font. We join both, so `joined` is what compares; `raw` is what pdftotext says.
WordCounts wordsByPdftotext(const std::filesystem::path& file)
{
    std::string output = outputOf("pdftotext '" + file.string() + "' -");
    const std::size_t raw = app::countWords(output);
    const std::string hyphen = "\u2010\n";
    for (std::size_t at = output.find(hyphen); at != std::string::npos;
         at = output.find(hyphen, at))
        output.erase(at, hyphen.size());
    return {raw, app::countWords(output)};
}

double difference(std::size_t found, std::size_t expected)
{
    return (static_cast<double>(found) - static_cast<double>(expected)) /
           static_cast<double>(std::max<std::size_t>(expected, 1));
}

/// Words of a book's text by the name of its file, from the index of the reference data.
std::map<std::string, std::size_t> indexedWords()
{
    std::map<std::string, std::size_t> words;
    std::ifstream index(kCorpus / "index.tsv");
    for (std::string line; std::getline(index, line);) {
        std::istringstream fields(line);
        std::string file;
        std::string title;
        std::string author;
        std::string count;
        std::getline(fields, file, '\t');
        std::getline(fields, title, '\t');
        std::getline(fields, author, '\t');
        std::getline(fields, count, '\t');
        if (!count.empty() && count.find_first_not_of("0123456789") == std::string::npos)
            words[file.substr(0, file.rfind('.'))] = std::stoul(count);
    }
    return words;
}

/// Counts headings, because the index writes a "#" before each, and joins the number and title of
/// one.
class HeadingCounter : public app::MarkupVisitor
{
public:
    bool open(std::string_view name, const Attributes&) override
    {
        m_groups += name == "hgroup" ? 1 : 0;
        const bool heading = name.size() == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6';
        headings += (heading && m_groups == 0) || name == "hgroup" ? 1 : 0;
        return true;
    }
    void close(std::string_view name) override { m_groups -= name == "hgroup" ? 1 : 0; }
    void text(std::string_view) override {}

    std::size_t headings = 0;

private:
    int m_groups = 0;
};

/// The words of the parts that the index counts.
std::size_t wordsAsIndexed(const std::filesystem::path& file)
{
    app::ZipArchive archive(file);
    std::size_t words = 0;
    const std::string package = archive.read("epub/content.opf");
    for (std::size_t at = package.find("<itemref idref=\""); at != std::string::npos;
         at = package.find("<itemref idref=\"", at + 1)) {
        const std::size_t begin = at + 16;
        const std::string id = package.substr(begin, package.find('"', begin) - begin);
        const bool left = id == "titlepage.xhtml" || id == "imprint.xhtml" ||
                          id == "colophon.xhtml" || id == "uncopyright.xhtml" ||
                          id == "endnotes.xhtml" || id == "loi.xhtml";
        if (left)
            continue;
        const std::string bytes = archive.read("epub/text/" + id);
        app::XhtmlText text;
        app::visitMarkup(bytes, "“part”", text);
        HeadingCounter counter;
        app::visitMarkup(bytes, "“part”", counter);
        words += app::countWords(text.result()) + counter.headings;
    }
    return words;
}

/// Typesetters let a word stand out into the margin, and a box is wider than its ink.
bool standsOnPage(const app::ImportedWord& word, const app::ImportedPage& page)
{
    return word.x > -0.1 * page.width &&
           static_cast<double>(word.x + word.width) < 1.1 * page.width &&
           static_cast<double>(word.y + word.height) < 1.1 * page.height;
}

void checkInvariants(const app::ImportedDocument& document)
{
    const std::string_view text = document.text;
    std::uint32_t end = 0;
    std::size_t strangeWords = 0;
    for (const app::ImportedPage& page : document.pages) {
        REQUIRE(page.range.begin == end);
        end = page.range.end;
        std::uint32_t wordEnd = page.range.begin;
        for (const app::ImportedWord& word : page.words) {
            const bool visible =
                app::countWords(text.substr(word.range.begin, word.range.end - word.range.begin)) >
                0;
            strangeWords +=
                word.range.begin < wordEnd || !visible || !standsOnPage(word, page) ? 1 : 0;
            wordEnd = word.range.end;
        }
        REQUIRE(wordEnd <= page.range.end);
    }
    CHECK(strangeWords == 0);
    CHECK(end == document.text.size());
    CHECK(app::findInvalidUtf8(document.text) == std::string::npos);
}

} // namespace

TEST_CASE("PDF books have the pages of pdfinfo and the words of pdftotext")
{
    for (const auto& file : filesOf("pdf")) {
        CAPTURE(file.filename().string());
        const auto document = app::readDocument(file);
        checkInvariants(document);
        const std::size_t pages = pagesByPdfinfo(file);
        if (pages == 0) {
            MESSAGE("SKIPPED: pdfinfo and pdftotext are not installed");
            return;
        }
        CHECK(document.pages.size() == pages);
        const WordCounts words = wordsByPdftotext(file);
        const double share = difference(document.wordCount, words.joined);
        MESSAGE(file.filename().string()
                << ": " << document.wordCount << " words, pdftotext with words joined at U+2010 "
                << words.joined << ", difference " << share * 100 << " %; pdftotext as it is "
                << words.raw << ", difference " << difference(document.wordCount, words.raw) * 100
                << " %");
        CHECK(std::abs(share) < 0.005);
    }
}

TEST_CASE("EPUB books have the words of the index")
{
    const auto index = indexedWords();
    for (const auto& file : filesOf("epub")) {
        CAPTURE(file.filename().string());
        const auto document = app::readDocument(file);
        checkInvariants(document);
        CHECK(document.outline.size() > 10);
        CHECK(document.warnings.empty());
        REQUIRE(index.contains(file.stem().string()));
        const std::size_t expected = index.at(file.stem().string());
        const std::size_t words = wordsAsIndexed(file);
        const double share = difference(words, expected);
        MESSAGE(file.filename().string() << ": " << words << " words in the indexed parts, index "
                                         << expected << ", difference " << share * 100 << " %");
        CHECK(std::abs(share) < 0.005);
        CHECK(document.wordCount >= words - document.outline.size() * 8);
    }
}

TEST_CASE("a scan is five pages without text, all of them reported")
{
    for (const auto& file : filesOf("pdf")) {
        if (file.string().find("_scan") == std::string::npos)
            continue;
        const auto document = app::readDocument(file);
        CHECK(document.pages.size() == 5);
        CHECK(document.pagesWithoutText == 5);
        CHECK(document.text.empty());
        REQUIRE(document.warnings.size() == 1);
        CHECK(document.warnings[0].starts_with("5 of 5 pages have no text"));
    }
}

TEST_CASE("page labels and outlines of the PDF books")
{
    for (const auto& file : filesOf("pdf")) {
        const std::string name = file.stem().string();
        const auto document = app::readDocument(file);
        if (name == "benjamin-franklin_the-autobiography") {
            REQUIRE(document.pages.size() == 160);
            CHECK(document.pages[0].label == "i");
            CHECK(document.pages[11].label == "xii");
            CHECK(document.pages[12].label == "1");
            CHECK(document.pages[159].label == "148");
            CHECK(document.outline.size() == 20);
            CHECK(document.pages[document.outline[1].pageIndex].label == "1");
        } else if (name == "charles-darwin_natural-selection_two-column") {
            CHECK(document.pages[0].label == "80");
            CHECK(document.outline.size() == 9);
            // The left column of the first page comes before the right one.
            CHECK(document.text.find("How will the struggle for existence") <
                  document.text.find("degree injurious would be rigidly destroyed"));
        } else if (name == "jane-austen_pride-and-prejudice") {
            CHECK(document.outline.size() == 61);
            CHECK(document.text.find(
                      "impossible for her to introduce him, for she will not know him") !=
                  std::string::npos);
        }
    }
}

TEST_CASE("the worker process reads the books exactly as this process does")
{
    for (const char* folder : {"pdf", "epub"}) {
        for (const auto& file : filesOf(folder)) {
            CAPTURE(file.filename().string());
            const bool equal =
                app::importInWorker(FAKE_WORKER, file, {}, {}) == app::readDocument(file);
            CHECK(equal);
        }
    }
}
