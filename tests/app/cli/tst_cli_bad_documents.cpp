// Files that cannot be read, or hold nothing to read.

#include "tests/app/cli/refusal.h"
#include "tests/app/cli/sample_library.h"
#include "tests/app/documents/test_files.h"

#include <doctest/doctest.h>

namespace {

using nlohmann::json;
using tests::checkRefusal;
using tests::SampleLibrary;
using tests::TemporaryFolder;

struct Fixture
{
    TemporaryFolder folder;
    SampleLibrary library{folder.path() / "library"};

    void checkRefused(const std::filesystem::path& file, std::vector<std::string> parts) const
    {
        parts.push_back(file.filename().string());
        const json result = checkRefusal(library.run({"import", file.string()}), 1, parts);
        CHECK(result.at("documents").empty());
        CHECK(library.result({"documents"}).at("documents").empty());
    }
};

/// A PDF that says it is encrypted, with keys that no password fits.
std::string lockedPdf()
{
    std::string pdf = tests::makePdf({{.texts = {{40, 350, "Secret."}}}});
    const std::string key(32, 'k');
    const std::string root = "/Root 1 0 R";
    return pdf.replace(pdf.find(root, pdf.find("trailer")), root.size(),
                       root +
                           " /ID [ <00> <00> ] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O (" +
                           key + ") /U (" + key + ") >>");
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "files without a readable text are refused by name")
{
    checkRefused(folder.write("locked.pdf", lockedPdf()), {"password"});
    checkRefused(folder.write("none.pdf", ""), {"0 bytes"});
    checkRefused(folder.write("none.txt", ""), {"0 bytes"});
    checkRefused(folder.write("blank.txt", " \n\t \n"), {"no text"});
    checkRefused(folder.write("noise.txt", std::string("\x01\x00\xff\xfe\x80\x02\x00\x9d", 8)),
                 {"not a text"});
    const std::string whole = tests::makePdf({{.texts = {{40, 350, "Whole."}}}});
    checkRefused(folder.write("cut.pdf", whole.substr(0, 60)), {"damaged", "another copy"});
    checkRefused(folder.write("fake.epub", "no archive"), {"not an EPUB", "another copy"});
    checkRefused(folder.write("old.doc", "letter"), {".doc", "Save it as PDF"});
    checkRefused(folder.path() / "gone.txt", {"does not exist", "Check the name"});
    checkRefused(folder.path(), {"is a folder", "Choose the files"});
}

TEST_CASE_FIXTURE(Fixture, "files over the limits are refused with the limit")
{
    const auto text = folder.write("huge.txt", "a");
    std::filesystem::resize_file(text, std::uintmax_t{1} << 30); // sparse: nothing is on the disk
    checkRefused(text, {"1024 MB", "256 MB", "Split it"});
    const auto book = folder.write("huge.pdf", "%PDF-1.4");
    std::filesystem::resize_file(book, (std::uintmax_t{2} << 30) + 1);
    checkRefused(book, {"2 GB", "Split it"});
}

TEST_CASE_FIXTURE(Fixture, "a text that is not UTF-8 is converted, and the user is told")
{
    const auto file = folder.write("latin.txt", "Caf\xe9 cr\xe8me et brioche, s'il vous pla\xeet. "
                                                "L'\xe9t\xe9 \xe0 la mer.\n");
    const auto shown = tests::run(library.command({"import", file.string()}));
    CHECK(shown.code == 0);
    CHECK(shown.out.find("not as UTF-8; it was converted") != std::string::npos);
    const auto open = app::Library::open(library.folder());
    CHECK(open->text(open->documents().front().id).starts_with("Caf\u00e9 cr\u00e8me"));
}

TEST_CASE_FIXTURE(Fixture, "a document of pictures is kept, counted, and never said to be ready")
{
    const auto file = folder.write("scan.pdf", tests::makePdf({{.drawing = "0 0 m 200 300 l S"},
                                                               {.drawing = "9 9 80 80 re f"}}));
    const json document = library.result({"import", file.string()}).at("documents").at(0);
    CHECK(document["pages"] == 2);
    CHECK(document["pages_without_text"] == 2);
    CHECK(document["state"] == "no-text");
    checkRefusal(library.run({"prepare", std::to_string(document["id"].get<app::RecordId>())}), 1,
                 {"\"scan\" has no text", "text recognition"});
}

TEST_CASE_FIXTURE(Fixture, "one bad file keeps no other out, and all is one JSON value")
{
    const auto good = folder.write("good.txt", "A good text.");
    const auto bad = folder.write("bad.txt", "");
    const json result = checkRefusal(library.run({"import", bad.string(), good.string()}), 1,
                                     {"1 of 2 files", "bad.txt"});
    REQUIRE(result.at("documents").size() == 1);
    CHECK(result["documents"][0]["title"] == "good");
    REQUIRE(result.at("failures").size() == 1);
    CHECK(result["failures"][0]["file"] == bad.string());
    CHECK(library.result({"documents"}).at("documents").size() == 1);
}
