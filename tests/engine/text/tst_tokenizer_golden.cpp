// The token ids of llama.cpp for 1,269 texts and five vocabularies, from the shared golden files.
#include "engine/gguf/gguf_file.h"
#include "engine/text/tokenizer.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tests {
namespace {

using nlohmann::json;

const std::filesystem::path kGoldens = std::filesystem::path(SHARED_DIR) / "goldens" / "tokenizers";

bool goldensAreMissing()
{
    if (std::filesystem::exists(kGoldens / "index.json")) {
        return false;
    }
    MESSAGE("SKIP   : no golden files in " << kGoldens.string());
    return true;
}

/// `name`, or `name_hex` for bytes that are not UTF-8, or the text itself if there is neither.
std::string bytesField(const json& line, const std::string& name, const std::string& fallback)
{
    if (line.contains(name)) {
        return line[name].get<std::string>();
    }
    if (!line.contains(name + "_hex")) {
        return fallback;
    }
    const auto hex = line[name + "_hex"].get<std::string>();
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return bytes;
}

/// Ranges must be ordered, lie within the text and, where a plain token is shown, hold its bytes.
void checkRanges(const engine::TokenisedText& tokens, const std::string& text)
{
    REQUIRE(tokens.ranges.size() == tokens.ids.size());
    std::uint32_t begin = 0;
    for (const engine::ByteRange& range : tokens.ranges) {
        REQUIRE(range.begin >= begin);
        REQUIRE(range.end >= range.begin);
        REQUIRE(range.end <= text.size());
        begin = range.begin;
    }
}

void checkLine(const engine::Tokenizer& tokenizer, const json& line)
{
    const std::string text = bytesField(line, "text", "");
    const auto special = line["parse_special"].get<bool>() ? engine::SpecialTokens::Parse
                                                           : engine::SpecialTokens::AsText;
    const auto tokens = tokenizer.encode(text, special, line["add_special"].get<bool>());
    CAPTURE(line.dump());
    CHECK(tokens.ids == line["ids"].get<std::vector<std::int32_t>>());
    CHECK(tokenizer.decode(tokens.ids, true) == bytesField(line, "pieces", text));
    checkRanges(tokens, text);
}

void checkVocabulary(const std::string& name, const json& expected)
{
    const auto file = engine::GgufFile::open(kGoldens / expected["vocab"].get<std::string>());
    const auto tokenizer = engine::Tokenizer::fromGguf(*file);
    CHECK(tokenizer->vocabularySize() == expected["n_tokens"].get<std::size_t>());
    CHECK(tokenizer->bos() == expected["bos"].get<std::int32_t>());
    CHECK(tokenizer->eos() == expected["eos"].get<std::int32_t>());
    std::vector<std::int32_t> ends;
    for (std::int32_t id = 0; id < static_cast<std::int32_t>(tokenizer->vocabularySize()); ++id) {
        if (tokenizer->isEndOfGeneration(id)) {
            ends.push_back(id);
        }
    }
    CHECK(ends == expected["eog"].get<std::vector<std::int32_t>>());

    std::ifstream lines(kGoldens / expected["tests"].get<std::string>());
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        checkLine(*tokenizer, json::parse(line));
    }
    MESSAGE(name << ": " << count << " texts");
    CHECK(count == expected["cases"].get<std::size_t>());
}

} // namespace

TEST_CASE("every golden text gets the token ids of the reference")
{
    if (goldensAreMissing()) {
        return;
    }
    std::ifstream file(kGoldens / "index.json");
    const json index = json::parse(file);
    for (const auto& [name, expected] : index.items()) {
        SUBCASE(name.c_str())
        {
            checkVocabulary(name, expected);
        }
    }
}

} // namespace tests
