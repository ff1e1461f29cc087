// What methods are given beside their settings: pinned pages, a head table, a question known
// before; and the commands that measure for them.

#include "app/library/library.h"
#include "engine/engine.h"
#include "tests/app/cli/refusal.h"
#include "tests/app/cli/sample_library.h"
#include "tests/app/documents/test_files.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fstream>
#include <sstream>

namespace {

using app::RecordId;
using nlohmann::json;
using tests::checkRefusal;
using tests::SampleLibrary;
using tests::TemporaryFolder;
using Words = std::vector<std::string>;

constexpr int kFailed = 1;
constexpr int kBadUse = 2;

/// A library with one document of several pages.
struct Shelf
{
    TemporaryFolder folder;
    SampleLibrary library{folder.path() / "library"};
    // More tokens than the trained reader takes: the constructed one reads it.
    std::string document =
        std::to_string(library.import(folder.write("letters.txt", tests::makeSampleText(1400, 3))));

    Words prepareWords(const Words& options) const
    {
        Words words{"prepare", document};
        words.insert(words.end(), options.begin(), options.end());
        return words;
    }
    /// A head table of the embedded reader.
    std::string measure(const std::string& name) const
    {
        const std::string file = (folder.path() / name).string();
        const json result = library.result({"head-table", document, "--out", file});
        CHECK(result.at("file") == file);
        CHECK(result.at("layers") == 2);
        CHECK(result.at("kv_heads") == 8);
        return file;
    }
    std::string changed(const std::string& from, const std::string& name, std::size_t line,
                        const std::string& text) const
    {
        std::ifstream in(from);
        std::ofstream out(folder.path() / name);
        std::string each;
        for (std::size_t number = 1; std::getline(in, each); ++number)
            out << (number == line ? text : each) << "\n";
        return (folder.path() / name).string();
    }
};

} // namespace

TEST_CASE_FIXTURE(Shelf, "--pin keeps the tokens of the named pages in every head")
{
    const auto open = app::Library::open(library.folder(), app::OpenMode::ReadOnly);
    const auto pages = open->pages(std::stoll(document));
    REQUIRE(pages.size() >= 4);
    // Pages 2 and 4, and once more 2.
    const json made = library.result(
        prepareWords({"--method", "keydiff", "--keep", "0.6", "--pin", "2,4", "--pin", "2-2"}));
    const RecordId context = made.at("context");
    const json shares =
        library.result({"inspect", std::to_string(context)}).at("kept_share_per_token");
    const auto ranges = engine::readTokenRanges(open->readSegment(context, 0));
    REQUIRE(ranges.size() == shares.size());
    std::size_t pinned = 0;
    bool someDropped = false;
    for (std::size_t token = 0; token < ranges.size(); ++token) {
        const auto isOn = [&](std::size_t page) {
            return ranges[token].end > pages[page].range.begin &&
                   ranges[token].begin < pages[page].range.end;
        };
        if (isOn(1) || isOn(3)) {
            ++pinned;
            CHECK(shares[token] == 1.0);
        } else {
            someDropped = someDropped || shares[token] < 1.0;
        }
    }
    CHECK(pinned > ranges.size() / 5);
    CHECK(someDropped);
    CHECK(made.at("kept_fraction").get<double>() == doctest::Approx(0.6).epsilon(0.01));
}

TEST_CASE_FIXTURE(Shelf, "pages that are none, too many, or for a method that drops them")
{
    const auto open = app::Library::open(library.folder(), app::OpenMode::ReadOnly);
    const std::string count = std::to_string(open->pages(std::stoll(document)).size());
    for (const char* pin : {"0", "99", "3-2", "1-99", "a", "2-", "-2", "2x", "1-2-3"}) {
        checkRefusal(library.run(prepareWords({std::string("--pin=") + pin})), kBadUse,
                     {"\"" + std::string(pin) + "\" names no pages", "has " + count + " page",
                      "write a page as 1"});
    }
    checkRefusal(library.run(prepareWords({"--keep", "0.1", "--pin", "1-2"})), kBadUse,
                 {"pinned pages have", "Pin fewer pages or raise keep"});
    checkRefusal(library.run(prepareWords({"--method", "streaming-llm", "--pin", "1"})), kBadUse,
                 {"streaming-llm cannot keep pinned pages", "kvzip", "pod"});
    CHECK(library.result({"contexts"}).at("contexts").empty());
}

TEST_CASE_FIXTURE(Shelf, "head-table writes what prepare --head-table reads, and the heads obey it")
{
    const std::string file = measure("heads.txt");
    std::ifstream stream(file);
    std::string line;
    REQUIRE(std::getline(stream, line));
    CHECK(line == "# Epitome head table 1");
    std::size_t rows = 0;
    while (std::getline(stream, line)) {
        if (line.starts_with("#"))
            continue;
        ++rows;
        CHECK(std::ranges::count(line, '\t') == 7);
    }
    CHECK(rows == 2);
    // One head is worth more than all others: it keeps everything, and they keep little.
    const std::string one = changed(file, "one.txt", 5, "0.1\t0.1\t0.1\t9\t0.1\t0.1\t0.1\t0.1");
    for (const char* method : {"kvzip-head", "duo-attention"}) {
        Words options{"--method", method, "--keep", "0.2", "--head-table", one};
        if (method == std::string("duo-attention"))
            options.insert(options.end(), {"--set", "sinks=4", "--set", "recent=32"});
        const json made = library.result(prepareWords(options));
        const json kept =
            library.result({"inspect", std::to_string(made.at("context").get<RecordId>())})
                .at("kept_per_layer_and_head");
        INFO(method, ": ", kept.dump());
        CHECK(kept[1][3] == made.at("tokens"));
        CHECK(kept[1][0] < kept[1][3]);
        CHECK(made.at("kept_fraction").get<double>() == doctest::Approx(0.2).epsilon(0.3));
    }
    // Measuring again gives the same table.
    const std::string again = measure("again.txt");
    std::stringstream first;
    std::stringstream second;
    first << std::ifstream(file).rdbuf();
    second << std::ifstream(again).rdbuf();
    CHECK(first.str() == second.str());
}

TEST_CASE_FIXTURE(Shelf, "head tables that are missing, damaged, of others or useless are refused")
{
    const std::string file = measure("heads.txt");
    const auto prepareWith = [&](const std::string& table, const std::string& method) {
        return library.run(
            prepareWords({"--method", method, "--keep", "0.5", "--head-table", table}));
    };
    const std::string missing = (folder.path() / "none.txt").string();
    checkRefusal(prepareWith(missing, "kvzip-head"), kFailed, {missing, "cannot be read"});
    checkRefusal(prepareWith(folder.path().string(), "kvzip-head"), kFailed, {"cannot be read"});
    checkRefusal(prepareWith(file, "snapkv"), kBadUse,
                 {"snapkv uses no head table", "kvzip-head or duo-attention"});
    checkRefusal(prepareWith(changed(file, "a.txt", 1, "# A table"), "kvzip-head"), kFailed,
                 {"line 1", "head-table"});
    checkRefusal(prepareWith(changed(file, "b.txt", 2, "# model 0000"), "kvzip-head"), kFailed,
                 {"another model", "head-table"});
    checkRefusal(prepareWith(changed(file, "c.txt", 3, "# theta=1"), "kvzip-head"), kFailed,
                 {"theta=1", "positions", "head-table"});
    for (const char* row : {"", "1\t2", "1\t1\t1\t1\t1\t1\t1\tnan", "1\t1\t1\t1\t1\t1\t1\t1\t1"})
        checkRefusal(prepareWith(changed(file, "d.txt", 4, row), "kvzip-head"), kFailed,
                     {"line 4", "head-table"});
    CHECK(library.result({"contexts"}).at("contexts").empty());

    checkRefusal(library.run({"head-table", document, "--out",
                              (folder.path() / "no" / "such" / "folder.txt").string()}),
                 kFailed, {"cannot be written", "--out"});
    checkRefusal(library.run({"head-table", document}), kBadUse, {"--out is required"});
    checkRefusal(library.run({"head-table", "99", "--out", missing}), kFailed, {"99"});
    const std::string tiny =
        std::to_string(library.import(folder.write("tiny.txt", "A few words.")));
    checkRefusal(library.run({"head-table", tiny, "--out", missing}), kBadUse,
                 {"at least 64 tokens"});
    CHECK_FALSE(std::filesystem::exists(missing));
}

TEST_CASE_FIXTURE(Shelf, "a question known before chooses for gemfilter, and is asked for")
{
    const json made =
        library.result(prepareWords({"--method", "gemfilter", "--set", "mode=single-turn", "--set",
                                     "select=256", "--question", "Who sealed the letter?"}));
    CHECK(made.at("kept_fraction").get<double>() < 256 / made.at("tokens").get<double>());
    CHECK(made.at("bytes_stored") < made.at("bytes_full"));
    const json seen =
        library.result({"inspect", std::to_string(made.at("context").get<RecordId>())});
    CHECK(seen.at("settings").at("mode") == "single-turn");
    const json answer = library.result({"ask", document, "Who sealed the letter?"});
    CHECK(answer.at("tokens_reread") == 0);
    for (const char* mode : {"single-turn", "one-run"}) {
        checkRefusal(library.run(prepareWords(
                         {"--method", "gemfilter", "--set", std::string("mode=") + mode})),
                     kBadUse, {"--question", "multi-turn"});
    }
    checkRefusal(library.run(prepareWords({"--method", "gemfilter", "--set", "mode=two"})), kBadUse,
                 {"\"two\"", "multi-turn, single-turn, one-run"});
}

TEST_CASE_FIXTURE(Shelf, "layer-similarity shows a matrix for each head and what pod would share")
{
    const json report = library.result(
        {"layer-similarity", document, "--set", "similarity=50", "--set", "calibration=512"});
    CHECK(report.at("tokens") == 512);
    CHECK(report.at("threshold") == 0.5);
    REQUIRE(report.at("heads").size() == 8);
    std::size_t blocks = 0;
    for (const json& head : report.at("heads")) {
        const json& matrix = head.at("similarity");
        REQUIRE(matrix.size() == 2);
        CHECK(matrix[0][0] == 1.0);
        CHECK(matrix[1][1] == 1.0);
        CHECK(matrix[0][1] == matrix[1][0]);
        const bool shares = matrix[0][1] >= 0.5;
        CHECK(head.at("blocks") == (shares ? json::parse("[[0,1]]") : json::parse("[[0],[1]]")));
        blocks += head.at("blocks").size();
    }
    CHECK(report.at("blocks") == blocks);
    const tests::Finished text =
        tests::run(library.command({"layer-similarity", document, "--set", "calibration=512"}));
    CHECK(text.code == 0);
    CHECK(text.out.find("Head 7. Blocks of layers that share at 0.90: ") != std::string::npos);
    CHECK(text.out.find("LAYER") != std::string::npos);
    CHECK(text.out.find(" blocks for 16 lists") != std::string::npos);

    checkRefusal(library.run({"layer-similarity", "99"}), kFailed, {"99"});
    checkRefusal(library.run({"layer-similarity", document, "--set", "calibration=2"}), kBadUse,
                 {"calibration", "between 16 and 8192"});
    checkRefusal(library.run({"layer-similarity", document, "--set", "window=2"}), kBadUse,
                 {"pod has no setting \"window\"", "similarity"});
    const std::string tiny =
        std::to_string(library.import(folder.write("tiny.txt", "A few words.")));
    checkRefusal(library.run({"layer-similarity", tiny}), kBadUse, {"at least 64 tokens"});
}
