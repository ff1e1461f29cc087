// What a person sees: tables, sentences, and where they go.

#include "tests/app/cli/sample_library.h"
#include "tests/app/documents/test_files.h"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <sstream>

namespace {

using tests::Finished;
using tests::SampleLibrary;
using tests::TemporaryFolder;
using Words = std::vector<std::string>;

const std::string kProgram = BINARY_DIR "/epitome";

std::vector<std::string> linesOf(const std::string& text)
{
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

/// Characters before a word of a line; each of those used here takes one column.
std::ptrdiff_t columnOf(const std::string& line, const std::string& word)
{
    const std::size_t at = line.find(word);
    REQUIRE(at != std::string::npos);
    return std::count_if(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(at),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; });
}

} // namespace

TEST_CASE("tables are aligned whatever letters a title has, and numbers stand at the right")
{
    const TemporaryFolder folder;
    const SampleLibrary library(folder.path() / "library");
    library.import(folder.write("Größe — für Übermütige.txt", "Nothing but a few words."));
    library.import(folder.write("plain.txt", tests::makeSampleText(2000, 3)));
    const auto lines = linesOf(tests::run(library.command({"documents"})).out);
    REQUIRE(lines.size() == 3);
    for (const std::string& line : {lines[1], lines[2]}) {
        CHECK(columnOf(line, "text") == columnOf(lines[0], "KIND"));
        CHECK(columnOf(line, "ready") == columnOf(lines[0], "STATE"));
    }
    CHECK(lines[2].find("      5  ready") != std::string::npos);
}

TEST_CASE("one page is not said to be several")
{
    const TemporaryFolder folder;
    const SampleLibrary library(folder.path() / "library");
    const auto file = folder.write("word.txt", "Alone");
    const Finished finished = tests::run(library.command({"import", file.string()}));
    CHECK(finished.out.find("1 page, 1 word.") != std::string::npos);
}

TEST_CASE("show prints citations as ask does")
{
    const TemporaryFolder folder;
    const SampleLibrary library(folder.path() / "library");
    const std::string text = "The lamp of the north pier burns whale oil. "
                             "Its twin on the south pier is lit with gas from the works.\n";
    const auto document = library.import(folder.write("piers.txt", text));
    library.prepare(document, {"--method", "full", "--keep", "1"});
    const Finished asked = tests::run(
        library.command({"ask", std::to_string(document), "Its twin on the south pier"}));
    const std::string conversation =
        library.result({"conversations"})["conversations"][0]["conversation"].dump();
    const Finished shown = tests::run(library.command({"show", conversation}));
    const auto answer = linesOf(asked.out);
    REQUIRE(answer.size() >= 2);
    CHECK(answer[1].starts_with("  page 1: \""));
    CHECK(shown.out.find("\nAnswer: " + answer[0] + "\n" + answer[1] + "\n") != std::string::npos);
}

TEST_CASE("options that every command takes may stand before it")
{
    const TemporaryFolder folder;
    const std::string data = (folder.path() / "library").string();
    const Finished finished = tests::run({"--data-dir", data, "--json", "documents"});
    CHECK(finished.code == 0);
    CHECK(finished.json() == nlohmann::json{{"documents", nlohmann::json::array()}});
    CHECK(std::filesystem::exists(data));
}

TEST_CASE("a result that could not be written is no success")
{
    for (const char* command : {" methods", " methods --json"}) {
        const int status =
            std::system(("'" + kProgram + "'" + command + " > /dev/full 2> /dev/null").c_str());
        CHECK(WEXITSTATUS(status) == 1);
    }
}

TEST_CASE("the ranges of settings are written in full")
{
    const Finished finished = tests::run({"methods"});
    CHECK(finished.out.find("64 to 1048576") != std::string::npos);
    CHECK(finished.out.find("e+") == std::string::npos);
}
