// Data directories that cannot be used, and stored contexts that were damaged.

#include "tests/app/cli/refusal.h"
#include "tests/app/cli/sample_library.h"
#include "tests/app/documents/test_files.h"

#include <doctest/doctest.h>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace {

using app::RecordId;
using nlohmann::json;
using tests::checkRefusal;
using tests::SampleLibrary;
using tests::TemporaryFolder;

struct Fixture
{
    TemporaryFolder folder;
    SampleLibrary library{folder.path() / "library"};
    std::string file = folder.write("text.txt", tests::makeSampleText(200, 4)).string();
    RecordId document = library.import(file);
    std::string id = std::to_string(document);
};

/// Inverts the bytes of a file between two shares of its length.
void damage(const std::filesystem::path& file, double from, double to)
{
    std::ifstream in(file, std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    REQUIRE(bytes.size() > 10'000);
    const auto place = [&](double share) {
        return static_cast<std::size_t>(share * static_cast<double>(bytes.size()));
    };
    for (std::size_t at = place(from); at < place(to); ++at)
        bytes[at] = static_cast<char>(~bytes[at]);
    tests::writeFile(file, bytes);
}

} // namespace

TEST_CASE_FIXTURE(Fixture,
                  "a damaged context is found, named, and made again; everything else is intact")
{
    const RecordId context = library.prepare(document, {"--store", "f16", "--keep", "1"});
    const std::vector<std::string> ask{"ask", id, "The ferryman of house", "--max-tokens", "8"};
    const json answer = library.result(ask);
    damage(library.folder() / "contexts.db", 0.4, 0.6);

    const json result = checkRefusal(library.run({"verify"}), 1, {"damaged", "Prepare"});
    REQUIRE(result.at("contexts").size() == 1);
    CHECK(result["contexts"][0]["good"] == false);
    const auto problem = result["contexts"][0]["problem"].get<std::string>();
    CHECK(problem.find(std::to_string(context)) != std::string::npos);
    checkRefusal(library.run(ask), 1, {"prepare"});

    CHECK(library.result({"documents"}).at("documents").size() == 1);
    const std::string conversation = std::to_string(answer["conversation"].get<RecordId>());
    CHECK(library.result({"show", conversation}).at("messages").at(1).at("text") ==
          answer["answer"]);
    library.prepare(document, {"--store", "f16", "--keep", "1"});
    CHECK(library.result(ask)["answer"] == answer["answer"]);
}

TEST_CASE_FIXTURE(Fixture, "a file of contexts that is no database any more costs no document")
{
    library.prepare(document);
    damage(library.folder() / "contexts.db", 0.0, 1.0);
    CHECK(library.result({"documents"}).at("documents").size() == 1);
    const auto shown = tests::run(library.command({"documents"}));
    CHECK(shown.code == 0);
    CHECK(shown.err.find("contexts.db\" are damaged") != std::string::npos);
    library.prepare(document);
    CHECK(library.run({"ask", id, "The ferryman of house"}).code == 0);
}

TEST_CASE_FIXTURE(
    Fixture, "while another process writes, reading goes on and writing says who is in the way")
{
    library.prepare(document);
    const auto other = app::Library::open(library.folder());
    for (const std::vector<std::string>& words : {std::vector<std::string>{"import", file},
                                                  {"prepare", id},
                                                  {"ask", id, "x"},
                                                  {"remove", id}})
        checkRefusal(library.run(words), 1, {library.folder().string()});
    CHECK(library.result({"documents"}).at("documents").size() == 1);
    CHECK(library.result({"contexts"}).at("contexts").size() == 1);
    CHECK(other->documents().size() == 1);
}

TEST_CASE("a data directory that cannot be made is refused by name")
{
    const TemporaryFolder folder;
    const auto file = folder.write("taken", "a file");
    for (const auto& place : {file, file / "below"}) {
        const SampleLibrary library(place);
        checkRefusal(library.run({"documents"}), 1, {place.string(), "choose another"});
        checkRefusal(library.run({"import", file.string()}), 1, {place.string(), "choose another"});
    }
}

TEST_CASE_FIXTURE(Fixture, "a data directory that cannot be written can still be read")
{
    if (::geteuid() == 0) {
        MESSAGE("skipped: to the superuser no directory is read-only");
        return;
    }
    namespace fs = std::filesystem;
    for (const auto& each : fs::directory_iterator(library.folder()))
        if (each.is_regular_file())
            fs::permissions(each.path(), fs::perms::owner_read);
    fs::permissions(library.folder(), fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(library.result({"documents"}).at("documents").size() == 1);
    checkRefusal(library.run({"prepare", id}), 1, {library.folder().string()});
    fs::permissions(library.folder(), fs::perms::owner_all);
}
