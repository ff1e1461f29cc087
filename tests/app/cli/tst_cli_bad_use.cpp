// Commands that cannot be meant: exit code 2 and a sentence that names the wrong word.

#include "tests/app/cli/refusal.h"
#include "tests/app/cli/sample_library.h"
#include "tests/app/documents/test_files.h"

#include <doctest/doctest.h>

namespace {

using tests::checkRefusal;
using tests::SampleLibrary;
using tests::TemporaryFolder;
using Words = std::vector<std::string>;

const std::string kReader = BINARY_DIR "/resources/constructed-reader.gguf";
constexpr int kFailed = 1;
constexpr int kBadUse = 2;

} // namespace

TEST_CASE("words that are missing, unknown or no numbers are named")
{
    struct Case
    {
        Words words;
        Words parts;
    };
    const std::vector<Case> cases{
        {{}, {"no command", "epitome --help"}},
        {{"prepares", "1"}, {"\"prepares\" is not a command", "epitome --help"}},
        {{"prepare"}, {"DOC is required", "epitome prepare --help"}},
        {{"prepare", "one"}, {"DOC must be a", "and \"one\" is not", "prepare --help"}},
        {{"prepare", "1", "--size", "3"}, {"--size", "epitome prepare --help"}},
        {{"prepare", "1", "--keep", "0.2", "--budget", "9"}, {"--keep and --budget cannot"}},
        {{"prepare", "1", "--budget", "-5"}, {"--budget must be between 1 and", "-5"}},
        {{"ask", "1"}, {"QUESTION is required", "epitome ask --help"}},
        {{"ask", "1", "x", "--temperature", "9"},
         {"--temperature must be between 0 and 5, and \"9\" is not"}},
        {{"ask", "1", "x", "--max-tokens", "0"}, {"--max-tokens must be between 1 and", "\"0\""}},
        {{"documents", "--device", "tpu"}, {"--device must be one of auto, cpu, cuda", "tpu"}},
        {{"documents", "--data-dir"}, {"--data-dir must be a path, and \"--json\" is not"}},
        {{"--sideways"}, {"\"--sideways\" is not an option", "epitome --help"}},
        {{"--quiet", "document"}, {"\"document\" is not a command", "epitome --help"}},
        {{"bench", "--repeat", "3"}, {"--repeat works only together with --methods"}},
        // "" is no number, and too large a number is not the largest one.
        {{"show", ""}, {"CONVERSATION must be a", "\"\""}},
        {{"show", "-1"}, {"CONVERSATION must be an id, which is a whole number from 1", "\"-1\""}},
        {{"show", "99999999999999999999"}, {"CONVERSATION", "\"99999999999999999999\""}},
        {{"verify", ""}, {"CONTEXT must be a", "\"\""}},
        {{"logits", "--model", kReader, "--ids", ""}, {"--ids must be a whole number", "\"\""}},
        {{"documents", "--threads", "-1"}, {"--threads", "-1"}},
        {{"import"}, {"FILE is required"}},
        {{"models", "info"}, {"FILE is required"}},
        {{"logits", "--model", kReader, "--ids", "1,b"}, {"--ids", "b"}},
        {{"tokenize", "text"}, {"--model is required"}},
    };
    for (const Case& each : cases) {
        Words words = each.words;
        words.emplace_back("--json");
        checkRefusal(tests::run(words), kBadUse, each.parts);
    }
}

TEST_CASE("values that no method or model can work with are refused with those that can be")
{
    const TemporaryFolder folder;
    const SampleLibrary library(folder.path() / "library");
    const std::string document =
        std::to_string(library.import(folder.write("text.txt", tests::makeSampleText(50, 1))));
    const auto prepare = [&](const Words& options) {
        Words words{"prepare", document};
        words.insert(words.end(), options.begin(), options.end());
        return library.run(words);
    };
    checkRefusal(prepare({"--keep", "2"}), kBadUse, {"at most 1", "for instance 0.3"});
    checkRefusal(prepare({"--keep", "nan"}), kBadUse, {"at most 1", "for instance 0.3"});
    checkRefusal(prepare({"--method", "zip"}), kBadUse, {"\"zip\"", "kvzip"});
    checkRefusal(prepare({"--store", "f8"}), kBadUse, {"\"f8\"", "kivi4"});
    checkRefusal(prepare({"--set", "window"}), kBadUse, {"\"window\"", "--set key="});
    checkRefusal(prepare({"--pin", "2"}), kBadUse, {"\"2\"", "has 1 page;", "write a page as 1."});
    checkRefusal(prepare({"--set", "depth=3"}), kBadUse, {"\"depth\"", "kvzip", "piece"});
    checkRefusal(library.run({"ask", document, "  "}), kBadUse, {"question is empty", "Write it"});
    const auto logits = [](const std::string& ids) {
        return tests::run({"logits", "--model", kReader, "--json", "--ids", ids});
    };
    checkRefusal(logits("4096"), kBadUse, {"4096", "vocabulary"});
    checkRefusal(logits("-1"), kBadUse, {"-1", "vocabulary"});
    CHECK(library.result({"contexts"}).at("contexts").empty());
}

TEST_CASE("ids that name nothing, or something else, are said to do so")
{
    const TemporaryFolder folder;
    const SampleLibrary library(folder.path() / "library");
    const std::string document =
        std::to_string(library.import(folder.write("text.txt", tests::makeSampleText(50, 1))));
    for (const Words& words :
         {Words{"prepare", "99"}, Words{"ask", "99", "x"}, Words{"contexts", "--document", "99"},
          Words{"conversations", "--document", "99"}, Words{"show", "99"}, Words{"inspect", "99"},
          Words{"verify", "99"}, Words{"remove", "99"}, Words{"inspect", document},
          Words{"ask", document, "x", "--context", "99"},
          Words{"ask", document, "x", "--conversation", "99"}})
        checkRefusal(library.run(words), kFailed, {words.back() == "x" ? words[1] : words.back()});
    checkRefusal(library.run({"ask", document, "What is said?"}), kFailed,
                 {"\"text\" has not been prepared yet", "epitome prepare " + document});
}

TEST_CASE("a conversation about one document is not gone on with about another")
{
    const TemporaryFolder folder;
    const SampleLibrary library(folder.path() / "library");
    const auto prepared = [&](const std::string& name, std::uint32_t seed) {
        const auto document = library.import(folder.write(name, tests::makeSampleText(50, seed)));
        library.prepare(document);
        return std::to_string(document);
    };
    const std::string first = prepared("first.txt", 1);
    const std::string second = prepared("second.txt", 2);
    const auto answer = library.result({"ask", first, "What is said?"});
    const std::string conversation = answer.at("conversation").dump();
    const std::string context =
        library.result({"contexts", "--document", second})["contexts"][0]["context"].dump();
    checkRefusal(library.run({"ask", second, "And here?", "--conversation", conversation,
                              "--context", context}),
                 kBadUse,
                 {"Conversation " + conversation + " is about document " + first, "start a new"});
    CHECK(library.result({"show", conversation}).at("messages").size() == 2);
}
