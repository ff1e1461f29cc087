// The trained reader is found beside the embedded one and answers from a document.

#include "tests/app/cli/sample_library.h"
#include "tests/app/store/temporary_folder.h"

#include <algorithm>
#include <doctest/doctest.h>

namespace {

using nlohmann::json;

json trainedReader(const tests::SampleLibrary& library)
{
    const json models = library.result({"models"}).at("models");
    const auto found = std::ranges::find_if(
        models, [](const json& model) { return model.at("name") == "Epitome reader"; });
    return found == models.end() ? json() : *found;
}

} // namespace

TEST_CASE("the trained reader is listed beside the embedded one and answers from a document")
{
    const tests::TemporaryFolder folder;
    const tests::SampleLibrary library(folder.path() / "library");
    const json model = trainedReader(library);
    REQUIRE(model.is_object());
    CHECK(model.at("supported") == true);
    CHECK(model.at("embedded") == false);

    tests::writeFile(folder.path() / "letter.txt",
                     "The old harbour lay in the fog, and no boat went out that day. The pass key "
                     "is 48213. A lantern hung above the door of the inn.\n\nHer brother waited by "
                     "the well with a silver spoon until the bell had rung.\n");
    const app::RecordId document = library.import(folder.path() / "letter.txt");
    library.prepare(document, {"--method", "full", "--model", model.at("path")});
    const json answer = library.result(
        {"ask", std::to_string(document), "What is the pass key?", "--temperature", "0"});
    CHECK(answer.at("answer").get<std::string>().find("48213") != std::string::npos);
}
