// The trained reader is found beside the embedded one and answers from a document.

#include "tests/app/cli/sample_library.h"
#include "tests/app/store/temporary_folder.h"

#include <algorithm>
#include <array>
#include <cstdint>
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

/// Sentences that say little, no two alike.
std::string madeUp(int sentences, std::uint32_t seed)
{
    const std::array<std::string, 12> persons{
        "the miller", "a pilot",   "her cousin", "the baker", "a widow",  "the sexton",
        "my uncle",   "the smith", "a drover",   "the mate",  "our cook", "the clerk"};
    const std::array<std::string, 12> deeds{"carried", "mended", "painted", "forgot",
                                            "hid",     "sold",   "found",   "broke",
                                            "washed",  "lent",   "drew",    "kept"};
    const std::array<std::string, 12> things{"a lantern", "the rope",  "two oars", "a kettle",
                                             "the bell",  "a saddle",  "the map",  "some bread",
                                             "a ladder",  "the clock", "a basket", "the candles"};
    std::string text;
    const auto draw = [&](const std::array<std::string, 12>& words) {
        seed = seed * 1664525U + 1013904223U;
        return words[(seed >> 16U) % words.size()];
    };
    for (int i = 0; i < sentences; ++i)
        text += "Before the evening of day " + std::to_string(i) + " " + draw(persons) + " " +
                draw(deeds) + " " + draw(things) + " near " + draw(things) + ". ";
    return text;
}

const std::string kLetter =
    "The old harbour lay in the fog, and no boat went out that day. A lantern hung above the door.";

} // namespace

TEST_CASE(
    "without a choice the trained reader reads, a short text whole and a longer one in windows")
{
    const json letter = preparedWith(kLetter, {});
    CHECK(letter.at("model") == "Epitome reader");
    CHECK(letter.at("method") == "full");
    CHECK(letter.at("kept_fraction") == 1.0);

    // Longer than one of the windows, though not than the model's.
    const json report = preparedWith(repeated(kLetter + " ", 60), {});
    CHECK(report.at("model") == "Epitome reader");
    CHECK(report.at("method") == "parallel-windows");
    CHECK(report.at("kept_fraction") == 1.0);

    const json shared = preparedWith(repeated(kLetter, 4), {"--keep", "0.5"});
    CHECK(shared.at("model") == "Epitome reader");
    CHECK(shared.at("method") == "kvzip");

    // Digits are single tokens to the trained reader: few bytes can be more than its window.
    for (const std::string& text : {repeated(kLetter + " ", 250), repeated("7294 ", 900)}) {
        const json longer = preparedWith(text, {});
        CHECK(longer.at("model") == "Epitome reader");
        CHECK(longer.at("method") == "parallel-windows");
        CHECK(longer.at("kept_fraction") == 1.0);

        // The same with the reader named.
        const tests::TemporaryFolder folder;
        const std::string reader =
            trainedReader(tests::SampleLibrary(folder.path() / "library")).at("path");
        CHECK(preparedWith(text, {"--model", reader}).at("method") == "parallel-windows");
        CHECK(preparedWith(kLetter, {"--model", reader}).at("method") == "full");

        const json shareOfLonger = preparedWith(text, {"--keep", "0.5"});
        CHECK(shareOfLonger.at("model") != "Epitome reader");
        CHECK(shareOfLonger.at("method") == "kvzip");
    }
}

TEST_CASE("a question about a whole book is answered by the reader that comes along")
{
    const tests::TemporaryFolder folder;
    const tests::SampleLibrary library(folder.path() / "library");
    std::string book;
    for (int chapter = 0; chapter < 12; ++chapter) {
        book += madeUp(40, static_cast<std::uint32_t>(chapter)) + "\n\n";
        if (chapter == 4)
            book += "Barnabas lives in Sheffield.\n\n";
        if (chapter == 9)
            book += "The pass key for Ottilie is 48213.\n\n";
    }
    tests::writeFile(folder.path() / "book.txt", book);
    const std::string document = std::to_string(library.import(folder.path() / "book.txt"));
    library.result({"prepare", document});
    const auto answer = [&](const std::string& question) {
        return library.result({"ask", document, question}).at("answer").get<std::string>();
    };
    CHECK(answer("Where does Barnabas live?") == "Sheffield");
    CHECK(answer("What is the pass key for Ottilie?") == "48213");
    CHECK(answer("What is the pass key for Hildebrand?") == "That is not in this document.");
}

TEST_CASE(
    "whole heads are dropped by the table beside the trained reader, and it still finds things")
{
    const tests::TemporaryFolder folder;
    const tests::SampleLibrary library(folder.path() / "library");
    const std::string sentence = "A lantern hung above the crooked gable of the inn.";
    tests::writeFile(folder.path() / "text.txt", madeUp(40, 1) + "\n\n" + sentence +
                                                     "\n\nThe pass key is 48213.\n\n" +
                                                     madeUp(40, 2));
    const std::string document = std::to_string(library.import(folder.path() / "text.txt"));
    const auto answer = [&](const std::string& method, const std::string& question) {
        const json prepared =
            library.result({"prepare", document, "--method", method, "--keep", "0.25"});
        CHECK(prepared.at("model") == "Epitome reader");
        CHECK(prepared.at("kept_fraction") < 0.4);
        return library.result({"ask", document, question}).at("answer").get<std::string>();
    };
    CHECK(answer("kvzip-head", "What is said about crooked and inn?") == sentence);
    CHECK(answer("kvzip-head", "What is the pass key?") == "48213");
    CHECK(answer("duo-attention", "What is the pass key?") == "48213");
}

TEST_CASE("Activation Beacon has a reader of its own, which answers from beacons")
{
    const tests::TemporaryFolder folder;
    const tests::SampleLibrary library(folder.path() / "library");
    tests::writeFile(folder.path() / "text.txt",
                     madeUp(12, 3) + "\n\nThe pass key is 48213.\n\n" + madeUp(12, 4));
    const std::string document = std::to_string(library.import(folder.path() / "text.txt"));
    const json prepared =
        library.result({"prepare", document, "--method", "activation-beacon", "--keep", "0.5"});
    CHECK(prepared.at("model") == "Epitome beacon reader");
    CHECK(prepared.at("kept_fraction") < 0.6);
    CHECK(library.result({"ask", document, "What is the pass key?"}).at("answer") == "48213");

    // The same where that reader is chosen and no method.
    const json models = library.result({"models"}).at("models");
    const auto reader = std::ranges::find_if(
        models, [](const json& each) { return each.at("name") == "Epitome beacon reader"; });
    REQUIRE(reader != models.end());
    CHECK(preparedWith(kLetter, {"--model", reader->at("path")}).at("method") ==
          "activation-beacon");
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
