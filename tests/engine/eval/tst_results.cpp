// Results in a folder: appended, read again after an interruption, refused when they do not fit.

#include "engine/eval/results.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace engine;

namespace {

namespace fs = std::filesystem;

std::string textOf(const fs::path& file)
{
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

EvalCell cellOf(const std::string& task, const std::string& method, double keep)
{
    EvalCell cell;
    cell.task = task;
    cell.length = 4096;
    cell.method = method;
    cell.keep = keep;
    cell.documents = 2;
    cell.tokens = 4000;
    cell.questions = 10;
    cell.exact = 9;
    cell.f1 = 0.93;
    cell.keptFraction = keep;
    cell.bytesStored = 250;
    cell.bytesFull = 1000;
    cell.prepareSeconds = 1.5;
    cell.askSeconds = 0.25;
    return cell;
}

} // namespace

TEST_CASE("cells are found again after an interruption in the middle of a line")
{
    const tests::TemporaryFolder folder;
    {
        EvalResults results(folder.path(), "setup", false);
        results.append({cellOf("needle", "kvzip+adakv", 0.1), cellOf("quote", "kvzip+adakv", 0.1)});
    }
    std::ofstream(folder.path() / "results.csv", std::ios::app) << "setup,needle,4096,full,1,40";

    EvalResults results(folder.path(), "setup", true);
    REQUIRE(results.cells().size() == 2);
    CHECK(results.cells()[0].exact == 9);
    CHECK(results.cells()[1].f1 == doctest::Approx(0.93));
    const EvalUnit unit{4096, "kvzip+adakv", 0.1};
    CHECK(results.has(unit, {"needle", "quote"}, 2));
    CHECK_FALSE(results.has(unit, {"needle", "passkey"}, 2));
    CHECK_FALSE(results.has(unit, {"needle", "quote"}, 3));
    CHECK_FALSE(results.has({4096, "kvzip+adakv", 0.25}, {"needle"}, 2));
    CHECK_FALSE(results.has({16384, "kvzip+adakv", 0.1}, {"needle"}, 2));
    CHECK_FALSE(results.has({4096, "full", 1}, {"needle"}, 2));
    results.append({cellOf("needle", "full", 1)});
    CHECK(EvalResults(folder.path(), "setup", true).cells().size() == 3);

    EvalCell longer = cellOf("needle", "full", 1);
    longer.documents = 3;
    results.append({longer});
    const EvalResults again(folder.path(), "setup", true);
    REQUIRE(again.cells().size() == 3);
    CHECK(again.cells().back().documents == 3);
}

TEST_CASE("results of something else are left alone")
{
    const tests::TemporaryFolder folder;
    EvalResults(folder.path(), "one setup", false).append({cellOf("needle", "full", 1)});
    const std::string before = textOf(folder.path() / "results.csv");
    CHECK_THROWS_AS(EvalResults(folder.path(), "one setup", false), Error);
    CHECK_THROWS_AS(EvalResults(folder.path(), "another setup", true), Error);
    CHECK(textOf(folder.path() / "results.csv") == before);
    std::ofstream(folder.path() / "results.csv") << "something else\n";
    CHECK_THROWS_AS(EvalResults(folder.path(), "one setup", true), Error);
}

TEST_CASE("the table has a row for each method and keep, and says why a method was refused")
{
    EvalCell refused = cellOf("needle", "snapkv", 0.1);
    refused.refusal = "Too little may stay.";
    refused.questions = 0;
    refused.exact = 0;
    const std::string table =
        evalMarkdown({cellOf("needle", "kvzip", 0.1), cellOf("quote", "kvzip", 0.1),
                      cellOf("needle", "kvzip", 0.5), cellOf("needle", "full", 1), refused},
                     "the setup", "the machine");
    CHECK(table.find("Setup: the setup.") != std::string::npos);
    CHECK(table.find("Documents: 2 of about 4000 tokens.") != std::string::npos);
    CHECK(table.find("the machine") != std::string::npos);
    CHECK(table.find("| method | keep | kept | needle | quote |") != std::string::npos);
    const std::size_t full = table.find("| full | 1 | 1.000 | 90 (60-98) 0.93 |  | 25.0 % |");
    const std::size_t half = table.find("| kvzip | 0.5 | 0.500 | 90 (60-98) 0.93 |  |");
    const std::size_t tenth =
        table.find("| kvzip | 0.1 | 0.100 | 90 (60-98) 0.93 | 90 (60-98) 0.93 |");
    REQUIRE(tenth != std::string::npos);
    CHECK(full < half);
    CHECK(half < tenth);
    CHECK(table.find("snapkv at keep 0.1 was refused: Too little may stay.") != std::string::npos);
}
