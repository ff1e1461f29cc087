// The head table that lies beside a model serves the methods that take one.

#include "engine/engine.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using namespace engine;

const std::string kModels = SOURCE_DIR "/resources/models/";

std::string textOf(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

PrepareOptions optionsFor(const std::string& method)
{
    PrepareOptions options;
    options.method = method;
    return options;
}

} // namespace

TEST_CASE("the table beside the trained reader is used where a method takes one and none is named")
{
    const auto model = loadModel(kModels + "reader.gguf");
    const std::string table = textOf(kModels + "reader.heads");
    REQUIRE(!table.empty());
    CHECK(usualHeadTable(*model, optionsFor("duo-attention")) == table);
    CHECK(usualHeadTable(*model, optionsFor("kvzip-head")) == table);
    CHECK(usualHeadTable(*model, optionsFor("kvzip")).empty());

    PrepareOptions named = optionsFor("duo-attention");
    named.headTable = "of the user";
    CHECK(usualHeadTable(*model, named) == "of the user");

    // It was made with the model's own positions; which heads read is the same with others.
    PrepareOptions stretched = optionsFor("duo-attention");
    stretched.settings = {{"rope", 3}, {"rope-factor", 2}}; // YaRN
    CHECK(usualHeadTable(*model, stretched) == table);
}

TEST_CASE("a table of another model is left alone, and a damaged one is refused")
{
    const tests::TemporaryFolder folder;
    const auto path = folder.path() / "other.gguf";
    std::filesystem::copy_file(kModels + "reader-beacon.gguf", path);
    std::filesystem::copy_file(kModels + "reader.heads", folder.path() / "other.heads");
    const auto model = loadModel(path);
    CHECK(usualHeadTable(*model, optionsFor("duo-attention")).empty());

    std::ofstream(folder.path() / "other.heads") << "no table";
    CHECK_THROWS_WITH_AS(usualHeadTable(*model, optionsFor("duo-attention")),
                         doctest::Contains("head table"), Error);
}
