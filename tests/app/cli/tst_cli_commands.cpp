// Every command, with the keys of its JSON and what it says to a person.

#include "app/store/database.h"
#include "tests/app/cli/sample_library.h"
#include "tests/app/documents/test_files.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fstream>
#include <map>

namespace {

using app::RecordId;
using nlohmann::json;
using tests::Finished;
using tests::SampleLibrary;
using tests::TemporaryFolder;

const std::string kReader = BINARY_DIR "/resources/constructed-reader.gguf";
// No three tokens in a row stand twice: the reader would go on from either place.
const std::string kText = "The lamp of the north pier burns whale oil. "
                          "Its twin on the south pier is lit with gas from the works.\n\n"
                          "The keeper counts the ships at dusk and writes them down.\n";

const std::string kAnswer = "is lit with gas from the works.";

void checkKeys(const json& value, const std::vector<std::string>& keys)
{
    for (const std::string& key : keys)
        CHECK_MESSAGE(value.contains(key), key, " is missing in ", value.dump());
}

/// A library with one small document that can be asked.
struct Prepared
{
    TemporaryFolder folder;
    SampleLibrary library{folder.path() / "library"};
    RecordId document = library.import(folder.write("piers.txt", kText));
    RecordId context = library.prepare(document, {"--method", "full", "--keep", "1"});

    json ask(const std::string& question, const std::vector<std::string>& options = {}) const
    {
        std::vector<std::string> words{"ask", std::to_string(document), question};
        words.insert(words.end(), options.begin(), options.end());
        return library.result(words);
    }
};

} // namespace

TEST_CASE("import tells what was read, and what was there already")
{
    const TemporaryFolder folder;
    const SampleLibrary library(folder.path() / "library");
    const auto file = folder.write("piers.txt", kText);
    const json first = library.result({"import", file.string()});
    REQUIRE(first.at("documents").size() == 1);
    const json& document = first["documents"][0];
    checkKeys(document,
              {"id", "title", "pages", "pages_without_text", "words", "sha256", "duplicate_of"});
    CHECK(document["title"] == "piers");
    CHECK(document["words"] == 33);
    CHECK(document["pages_without_text"] == 0);
    CHECK(document["sha256"].get<std::string>().size() == 64);
    CHECK(document["duplicate_of"].is_null());

    const auto copy = folder.write("copy.txt", kText);
    const auto other = folder.write("other.md", "# Other\n\nAnother text.\n");
    const json second = library.result({"import", copy.string(), other.string()}).at("documents");
    REQUIRE(second.size() == 2);
    CHECK(second[0]["duplicate_of"] == document["id"]);
    CHECK(second[0]["id"] == document["id"]);
    CHECK(second[1]["duplicate_of"].is_null());
    CHECK(library.result({"documents"}).at("documents").size() == 2);
}

TEST_CASE_FIXTURE(Prepared, "prepare and contexts tell what was kept and what it cost")
{
    const RecordId longer = library.import(folder.write("long.txt", tests::makeSampleText(400, 2)));
    const json made =
        library.result({"prepare", std::to_string(longer), "--method", "streaming-llm", "--budget",
                        "20", "--store", "int8", "--set", "sinks=2"});
    checkKeys(made, {"context", "document", "model", "method", "tokens", "kept_fraction",
                     "bytes_full", "bytes_stored", "peak_bytes", "seconds"});
    CHECK(made["document"] == longer);
    CHECK(made["method"] == "streaming-llm");
    CHECK(made["kept_fraction"].get<double>() < 1.0);
    CHECK(made["bytes_stored"] < made["bytes_full"]);

    const json all = library.result({"contexts"}).at("contexts");
    REQUIRE(all.size() == 2);
    CHECK(all[0]["context"] == made["context"]); // newest first
    CHECK(all[0]["store"] == "int8");
    CHECK(all[1]["kept_fraction"] == 1.0);
    CHECK(all[1]["state"] == "ready");
    CHECK(library.result({"contexts", "--document", std::to_string(document)}).at("contexts") ==
          json::array({all[1]}));
}

TEST_CASE_FIXTURE(Prepared, "the bytes that are told as stored are those that lie in contexts.db")
{
    const RecordId longer = library.import(folder.write("long.txt", tests::makeSampleText(400, 2)));
    std::map<std::string, std::int64_t> told;
    for (const std::string store : {"f16", "int8", "kivi4", "kivi4+coded"}) {
        const json made = library.result({"prepare", std::to_string(longer), "--method", "kvzip",
                                          "--keep", "0.4", "--store", store});
        const auto id = made["context"].get<RecordId>();
        std::int64_t segments = 0;
        std::int64_t others = 0;
        {
            const app::Database file(
                library.folder() / "contexts.db",
                {.access = app::DatabaseAccess::Read, .applicationId = 0x45505443});
            const auto sum = [&](const std::string& table) {
                return file
                    .integer("SELECT sum(length(data)) FROM " + table + " WHERE context = ?1", id)
                    .value_or(0);
            };
            segments = sum("segment");
            others = sum("context_blob");
            CHECK(sum("checkpoint") == 0);
        }
        CAPTURE(store);
        CHECK(others > 0); // the retention map and the ledger of memory
        CHECK(segments > others);
        told[store] = made["bytes_stored"].get<std::int64_t>();
        CHECK(told[store] == segments + others);
        CHECK(library.result({"inspect", std::to_string(id)}).at("bytes_stored") == told[store]);
        CHECK(library.result({"contexts"}).at("contexts")[0].at("bytes_stored") == told[store]);
    }
    CHECK(told["int8"] < told["f16"]);
    CHECK(told["kivi4"] < told["int8"]);
    CHECK(told["kivi4+coded"] < told["kivi4"]);
}

TEST_CASE_FIXTURE(Prepared,
                  "ask answers from the context, names the page, and keeps the conversation")
{
    const json answer = ask("Its twin on the south pier");
    checkKeys(answer, {"answer", "conversation", "tokens_in_context", "tokens_reread",
                       "first_token_seconds", "tokens_per_second", "device", "citations"});
    CHECK(answer["answer"] == kAnswer);
    CHECK(answer["tokens_reread"] == 0);
    REQUIRE(answer["citations"].size() == 1);
    checkKeys(answer["citations"][0], {"page_index", "page_label", "quote"});
    CHECK(answer["citations"][0]["page_index"] == 0);
    CHECK(answer["citations"][0]["page_label"] == "1");

    const std::string conversation = std::to_string(answer["conversation"].get<RecordId>());
    const json second = ask("The keeper counts the ships", {"--conversation", conversation});
    CHECK(second["conversation"] == answer["conversation"]);
    CHECK(second["answer"] == "at dusk and writes them down.");

    const json list = library.result({"conversations"}).at("conversations");
    REQUIRE(list.size() == 1);
    CHECK(list[0]["messages"] == 4);
    CHECK(list[0]["context"] == context);
    const json shown = library.result({"show", conversation}).at("messages");
    REQUIRE(shown.size() == 4);
    CHECK(shown[0]["role"] == "user");
    CHECK(shown[0]["text"] == "Its twin on the south pier");
    CHECK(shown[1]["text"] == answer["answer"]);
    CHECK(shown[1]["citations"] == answer["citations"]);
}

TEST_CASE_FIXTURE(Prepared, "the options of ask arrive where they work")
{
    CHECK(ask("Its twin on the south pier", {"--max-tokens", "1"})["tokens"] == 1);
    const std::string stopped =
        ask("Its twin on the south pier", {"--stop", "with"})["answer"].get<std::string>();
    CHECK(stopped.starts_with("is lit"));
    CHECK(stopped.find("with") == std::string::npos);
    const std::string id = std::to_string(context);
    CHECK(ask("Its twin on the south pier", {"--context", id})["answer"] == kAnswer);
    CHECK(ask("Its twin on the south pier", {"--raw"})["answer"].get<std::string>().starts_with(
        "is lit"));
    const std::vector<std::string> warm{"--temperature", "2", "--seed", "7", "--max-tokens", "8"};
    CHECK(ask("The lamp", warm)["answer"] == ask("The lamp", warm)["answer"]);
}

TEST_CASE_FIXTURE(Prepared, "inspect shows counts, shares and memory; verify finds it good")
{
    const json seen = library.result({"inspect", std::to_string(context)});
    const auto tokens = seen.at("tokens").get<std::size_t>();
    REQUIRE(seen.at("kept_per_layer_and_head").size() == 2);
    CHECK(seen["kept_per_layer_and_head"][0] == std::vector<std::size_t>(8, tokens));
    REQUIRE(seen.at("kept_share_per_token").size() == tokens);
    CHECK(seen["kept_share_per_token"][0] == 1.0);
    REQUIRE_FALSE(seen.at("ledger").empty());
    checkKeys(seen["ledger"][0],
              {"phase", "weights", "keys_values", "scores", "buffers", "process"});

    const json good = library.result({"verify"}).at("contexts");
    REQUIRE(good.size() == 1);
    CHECK(good[0] == json{{"context", context}, {"good", true}, {"problem", ""}});
}

TEST_CASE_FIXTURE(Prepared,
                  "remove takes a conversation, a context, and a document with all of its own")
{
    const json answer = ask("Its twin on the south pier");
    const auto removed = [&](RecordId id) {
        return library.result({"remove", std::to_string(id)}).at("kind").get<std::string>();
    };
    CHECK(removed(answer["conversation"]) == "conversation");
    CHECK(library.result({"conversations"}).at("conversations").empty());
    CHECK(removed(context) == "context");
    CHECK(library.result({"contexts"}).at("contexts").empty());
    CHECK(removed(document) == "document");
    CHECK(library.result({"documents"}).at("documents").empty());
}

TEST_CASE("models are listed and described")
{
    const TemporaryFolder folder;
    const SampleLibrary library(folder.path() / "library");
    std::filesystem::create_directories(library.folder() / "models");
    std::filesystem::copy_file(kReader, library.folder() / "models" / "mine.gguf");
    tests::writeFile(library.folder() / "models" / "bad.gguf", "nothing");
    const json models = library.result({"models"}).at("models");
    // The build's folder may hold more than the embedded one.
    REQUIRE(models.size() >= 3);
    CHECK(models[0]["embedded"] == true);
    for (const char* name : {"mine.gguf", "bad.gguf"})
        CHECK(std::ranges::any_of(models, [&](const json& each) {
            return each["path"].get<std::string>().ends_with(name);
        }));
    for (const json& each : models)
        CHECK(each["supported"] == !each["path"].get<std::string>().ends_with("bad.gguf"));

    const json info = library.result({"models", "info", kReader});
    CHECK(info.at("architecture") == "llama");
    CHECK(info.at("window") == 131072);
    CHECK(info.at("kv_heads") == 8);
}

TEST_CASE("tokenize and logits work on the model's own terms")
{
    const json tokens =
        tests::run({"tokenize", "--model", kReader, "--json", "Hello there"}).json();
    checkKeys(tokens, {"ids", "text"});
    CHECK(tokens["text"] == "Hello there");
    CHECK(tests::run({"tokenize", "--model", kReader, "--json", "-"}, {}, "Hello there").json() ==
          tokens);
    const json special =
        tests::run({"tokenize", "--model", kReader, "--json", "--add-special", "Hello there"})
            .json();
    CHECK(special["ids"].size() == tokens["ids"].size() + 1);
    const json parsed =
        tests::run({"tokenize", "--model", kReader, "--json", "--parse-special", "<|begin|>"})
            .json();
    CHECK(parsed["ids"] == json{special["ids"][0]});

    const json last = tests::run({"logits", "--model", kReader, "--ids", "0,5,9", "--json"}).json();
    const json all =
        tests::run({"logits", "--model", kReader, "--ids", "0,5,9", "--all", "--json"}).json();
    REQUIRE(last.at("logits").size() == 4096);
    REQUIRE(all.at("logits").size() == 3);
    CHECK(all["logits"][2] == last["logits"]);
}

TEST_CASE("methods and bench report in JSON")
{
    const json methods = tests::run({"methods", "--json"}).json().at("methods");
    CHECK(methods.size() >= 4);
    checkKeys(methods[0], {"id", "title", "description", "source", "query_agnostic", "parameters"});
    const Finished bench = tests::run({"bench", "--model", kReader, "--prompt", "16", "--generate",
                                       "2", "--attention", "64", "--threads", "1", "--json"});
    CHECK(bench.code == 0);
    checkKeys(bench.json(), {"model", "device", "limits", "rows"});
}

TEST_CASE_FIXTURE(Prepared, "a person gets sentences, and no progress when it is quiet")
{
    const Finished asked = tests::run(library.command(
        {"ask", std::to_string(document), "Its twin on the south pier", "--quiet"}));
    CHECK(asked.code == 0);
    CHECK(asked.err.empty());
    CHECK(asked.out.starts_with(kAnswer + "\n  page 1: \"" + kAnswer + "\"\n  re-read 0 of "));
    const Finished loud =
        tests::run(library.command({"prepare", std::to_string(document), "--threads", "1"}));
    CHECK(loud.code == 0);
    CHECK(loud.err.starts_with("Reading: 0 of "));
    CHECK(loud.out.find("This reader quotes") != std::string::npos);
    CHECK(loud.out.find("larger model") != std::string::npos);
    CHECK(tests::run({"--help"}).code == 0);
    CHECK(tests::run({"--version"}).code == 0);
}
