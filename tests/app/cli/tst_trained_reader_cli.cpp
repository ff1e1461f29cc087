// The trained reader is found beside the embedded one and answers from a document.

#include "tests/app/cli/sample_library.h"
#include "tests/app/store/temporary_folder.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

using nlohmann::json;

json trainedReader(const tests::SampleLibrary& library)
{
    const json models = library.result({"models"}).at("models");
    const auto found = std::ranges::find_if(
        models, [](const json& model) { return model.at("name") == "Epitome reader"; });
    return found == models.end() ? json() : *found;
}

/// What `prepare` says of a text in a new library.
json preparedWith(const std::string& text, std::vector<std::string> options)
{
    const tests::TemporaryFolder folder;
    const tests::SampleLibrary library(folder.path() / "library");
    tests::writeFile(folder.path() / "text.txt", text);
    options.insert(options.begin(),
                   {"prepare", std::to_string(library.import(folder.path() / "text.txt"))});
    return library.result(options);
}

std::string repeated(const std::string& text, int times)
{
    std::string all;
    for (int i = 0; i < times; ++i)
        all += text;
    return all;
}

const std::string kLetter =
    "The old harbour lay in the fog, and no boat went out that day. A lantern hung above the door.";

} // namespace

TEST_CASE("without a choice a short text is read whole by the trained reader, others as before")
{
    const json letter = preparedWith(kLetter, {});
    CHECK(letter.at("model") == "Epitome reader");
    CHECK(letter.at("method") == "full");
    CHECK(letter.at("kept_fraction") == 1.0);

    const json shared = preparedWith(repeated(kLetter, 4), {"--keep", "0.5"});
    CHECK(shared.at("model") == "Epitome reader");
    CHECK(shared.at("method") == "kvzip");

    // Digits are single tokens to the trained reader: few bytes can be more than its window.
    for (const std::string& text : {repeated(kLetter + " ", 250), repeated("7294 ", 900)}) {
        const json other = preparedWith(text, {});
        CHECK(other.at("model") != "Epitome reader");
        CHECK(other.at("method") == "kvzip");
    }
}

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
