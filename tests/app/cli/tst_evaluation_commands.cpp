// "epitome methods" and "epitome eval" as a user runs them.

#include "tests/app/cli/sample_library.h"
#include "tests/app/store/temporary_folder.h"

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

using nlohmann::json;
using tests::Finished;

std::string textOf(const std::filesystem::path& file)
{
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::size_t linesOf(const std::string& text)
{
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

/// A small evaluation: two tasks, two questions, two methods.
std::vector<std::string> smallEval(std::vector<std::string> more)
{
    std::vector<std::string> words{"eval",         "--methods",   "full,streaming-llm",
                                   "--lengths",    "1024",        "--tasks",
                                   "needle,quote", "--questions", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

/// One sentence on standard error, the exit code, and nothing on standard output.
void checkRefused(const std::vector<std::string>& words, int code, const std::string& named)
{
    const Finished finished = tests::run(words);
    CAPTURE(finished.err);
    CHECK(finished.code == code);
    CHECK(finished.out.empty());
    CHECK(linesOf(finished.err) == 1);
    CHECK(finished.err.find(named) != std::string::npos);
}

/// Paragraphs of one sentence, of words that hardly ever return.
std::string bookOfRareWords()
{
    std::uint32_t state = 1;
    const auto letter = [&](std::string_view letters) {
        state = state * 1664525U + 1013904223U;
        return letters[(state >> 16U) % letters.size()];
    };
    std::string text;
    for (int paragraph = 0; paragraph < 200; ++paragraph) {
        text += "Then";
        for (int word = 0; word < 9; ++word) {
            text += ' ';
            for (int syllable = 0; syllable < 2; ++syllable) {
                text += letter("bcdfghklmnprstvw");
                text += letter("aeiou");
            }
        }
        text += ".\n\n";
    }
    return text;
}

} // namespace

TEST_CASE("methods lists what each method needs, as a table and as JSON")
{
    const json result = tests::run({"methods", "--json"}).json();
    const auto idIs = [](const std::string& id) {
        return [id](const json& each) { return each.at("id") == id; };
    };
    const json& methods = result.at("methods");
    const auto kvzip = std::ranges::find_if(methods, idIs("kvzip"));
    REQUIRE(kvzip != methods.end());
    CHECK(kvzip->at("needs").at("question") == false);
    CHECK(kvzip->at("needs").at("training") == false);
    CHECK(kvzip->at("needs").at("extra_passes") == 1);
    CHECK(kvzip->at("source").get<std::string>().find("2505.23416") != std::string::npos);
    const json& piece = kvzip->at("parameters").at(0);
    CHECK(piece.at("key") == "piece");
    CHECK(piece.at("unit") == "tokens");
    CHECK(piece.at("default") == 2000);
    CHECK(piece.at("minimum") == 64);
    CHECK(std::ranges::find(kvzip->at("stages"), json("adakv")) != kvzip->at("stages").end());
    CHECK(std::ranges::find_if(methods, idIs("snapkv"))->at("needs").at("question") == true);
    const json& stages = result.at("stages");
    const auto adakv = std::ranges::find_if(stages, idIs("adakv"));
    REQUIRE(adakv != stages.end());
    CHECK(adakv->at("kind") == "allocator");
    CHECK(adakv->at("parameters").at(0).at("key") == "floor");

    const Finished table = tests::run({"methods"});
    CHECK(table.code == 0);
    for (const json& method : methods)
        CHECK(table.out.find(method.at("id").get<std::string>()) != std::string::npos);
    CHECK(table.out.find("64 to 16384") != std::string::npos);
}

TEST_CASE("eval writes CSV and Markdown, and a second run with --resume does only what is missing")
{
    const tests::TemporaryFolder folder;
    const std::string out = (folder.path() / "results").string();
    const Finished first = tests::run(smallEval({"--keep", "0.25", "--out", out, "--json"}));
    REQUIRE_MESSAGE(first.code == 0, first.err);
    const json cells = first.json().at("cells");
    REQUIRE(cells.size() == 4);
    CHECK(first.json().at("skipped") == 0);
    CHECK(cells[0].at("method") == "full");
    CHECK(cells[0].at("task") == "needle");
    CHECK(cells[0].at("questions") == 2);
    CHECK(cells[0].at("exact") == 2);
    CHECK(cells[0].at("f1") == 1);
    CHECK(cells[0].at("exact_low").get<double>() == doctest::Approx(0.3424).epsilon(0.001));
    CHECK(cells[2].at("kept_fraction").get<double>() == doctest::Approx(0.25).epsilon(0.02));
    const std::string csv = textOf(folder.path() / "results" / "results.csv");
    CHECK(linesOf(csv) == 5);
    CHECK(linesOf(textOf(folder.path() / "results" / "answers.csv")) == 9);
    const std::string table = textOf(folder.path() / "results" / "table.md");
    CHECK(table.find("| full | 1 | 1.000 | 100 (34-100) 1.00 |") != std::string::npos);

    // As after a kill in the middle of writing a line.
    std::ofstream(folder.path() / "results" / "results.csv", std::ios::app) << "half a li";
    const Finished second =
        tests::run(smallEval({"--keep", "0.25,0.5", "--out", out, "--resume", "--json"}));
    REQUIRE_MESSAGE(second.code == 0, second.err);
    CHECK(second.json().at("skipped") == 2);
    CHECK(second.json().at("units") == 3);
    CHECK(second.json().at("cells").size() == 6);
    const std::string longer = textOf(folder.path() / "results" / "results.csv");
    CHECK(longer.starts_with(csv));
    CHECK(linesOf(longer) == 7);
    CHECK(linesOf(textOf(folder.path() / "results" / "answers.csv")) == 13);

    const std::string before = longer;
    checkRefused(smallEval({"--out", out}), 2, "--resume");
    checkRefused(smallEval({"--out", out, "--resume", "--seed", "2"}), 1, "seed 2");
    CHECK(textOf(folder.path() / "results" / "results.csv") == before);
}

TEST_CASE("eval prints a table and progress, and reads a corpus")
{
    const tests::TemporaryFolder folder;
    tests::writeFile(folder.path() / "book.txt", bookOfRareWords());
    const Finished finished =
        tests::run(smallEval({"--keep", "0.5", "--corpus", (folder.path() / "book.txt").string()}));
    REQUIRE_MESSAGE(finished.code == 0, finished.err);
    CHECK(finished.out.find("book.txt") != std::string::npos);
    CHECK(finished.out.find("| full | 1 | 1.000 | 100 (34-100) 1.00 |") != std::string::npos);
    CHECK(finished.err.find("2 of 2, streaming-llm 0.50, 1024 tokens: Reading") !=
          std::string::npos);
}

TEST_CASE("eval refuses bad flags with one sentence that names what is allowed")
{
    checkRefused({"eval", "--methods", "zip"}, 2, "kvzip");
    checkRefused({"eval", "--methods", "full+adakv"}, 2, "full");
    checkRefused({"eval", "--methods", "full,homer", "--set", "chunk=512"}, 2, "chunk");
    checkRefused({"eval", "--set", "rope=bent"}, 2, "yarn");
    checkRefused({"eval", "--keep", "0"}, 2, "at most 1");
    checkRefused({"eval", "--keep", "much"}, 2, "--keep must be a number");
    checkRefused({"eval", "--tasks", "essay"}, 2, "multi-key");
    checkRefused({"eval", "--lengths", "600"}, 2, "too short");
    checkRefused({"eval", "--questions", "0"}, 2, "between 1 and 16");
    checkRefused({"eval", "--store", "zip"}, 2, "kivi4");
    checkRefused({"eval", "--resume"}, 2, "--out");
    checkRefused({"eval", "--corpus", "/nowhere/book.txt"}, 1, "/nowhere/book.txt");
    checkRefused({"eval", "--model", "/nowhere/model.gguf"}, 1, "/nowhere/model.gguf");
    checkRefused(smallEval({"--out", "/proc/nowhere"}), 1, "/proc/nowhere");
}

TEST_CASE("bench --methods compares methods with full in one run")
{
    const tests::Finished finished =
        tests::run({"bench", "--methods", "streaming-llm,snapkv,keydiff+adakv", "--prefill", "512",
                    "--depths", "600", "--repeat", "1", "--json"});
    REQUIRE_MESSAGE(finished.code == 0, finished.err);
    const json result = finished.json();
    REQUIRE(result.at("methods").size() == 3);
    CHECK(result.at("prefill_tokens").get<int>() >= 512);
    for (const json& method : result.at("methods")) {
        CAPTURE(method.dump());
        CHECK(method.at("prefill_ratio").get<double>() > 0);
        CHECK(method.at("bytes_ratio").get<double>() > 0.2);
        CHECK(method.at("bytes_ratio").get<double>() < 0.5);
        CHECK(method.at("decode").at(0).at("depth") == 600);
        CHECK(method.at("decode").at(0).at("ratio").get<double>() > 0);
    }
    CHECK(result.at("methods").at(1).at("prefill_ratio_wanted") == 1.05);

    checkRefused({"bench", "--methods", "zip"}, 2, "kvzip");
    checkRefused({"bench", "--methods", "kvzip", "--keep", "2"}, 2, "at most 1");
    checkRefused({"bench", "--methods", "kvzip", "--depths", "9000000"}, 2, "window");
    checkRefused({"bench", "--methods", "kvzip", "--repeat", "0"}, 2, "repetitions");
    checkRefused({"bench", "--methods", "pod,kvzip", "--set", "skip=70"}, 2, "one method");
    checkRefused({"bench", "--methods", "pod", "--set", "slip=70"}, 2, "skip");
    checkRefused({"bench", "--keep", "0.5"}, 2, "--methods");
}

TEST_CASE("bench --first-token measures gemfilter beside full and the formula beside both")
{
    const Finished finished = tests::run(
        {"bench", "--first-token", "512,1024", "--select", "128", "--repeat", "1", "--json"});
    REQUIRE_MESSAGE(finished.code == 0, finished.err);
    const json result = finished.json();
    CHECK(result.at("layers") == 8);
    CHECK(result.at("layer") == 3);
    REQUIRE(result.at("rows").size() == 2);
    for (const json& row : result.at("rows")) {
        const auto seconds = [&](const char* method, const char* part) {
            return row.at(method).at(part).get<double>();
        };
        const double full = seconds("full", "reading_seconds") + seconds("full", "asking_seconds");
        CHECK(seconds("full", "seconds") == doctest::Approx(full));
        CHECK(row.at("ratio").get<double>() ==
              doctest::Approx(seconds("gemfilter", "seconds") / full));
        // 2 H d n^2 + 2 P n with 9 heads of 64 and 3 million weights a layer.
        const double weights = 576.0 * (2 * 576 + 2 * 192 + 3 * 1536);
        const auto work = [&](double n) { return 2 * 576.0 * n * n + 2 * weights * n; };
        const double n = row.at("tokens").get<double>() + row.at("question_tokens").get<double>();
        CHECK(row.at("ratio_by_formula").get<double>() ==
              doctest::Approx((3 * work(n) + 8 * work(128)) / (8 * work(n))));
        CHECK(row.at("ratio_by_formula_as_run").get<double>() ==
              doctest::Approx((3 * work(n) + 7 * work(128)) / (7 * work(n))));
    }
    const Finished table = tests::run({"bench", "--first-token", "256", "--repeat", "1"});
    CHECK(table.out.find("BY THE FORMULA") != std::string::npos);

    checkRefused({"bench", "--first-token", "100"}, 2, "between 256 and");
    checkRefused({"bench", "--first-token", "512", "--repeat", "0"}, 2, "repetitions");
    checkRefused({"bench", "--first-token", "512", "--layer", "8"}, 2, "between 1 and 7");
    checkRefused({"bench", "--first-token", "512", "--select", "2"}, 2, "between 16 and 1048576");
    checkRefused({"bench", "--repeat", "2"}, 2, "--first-token");
}
