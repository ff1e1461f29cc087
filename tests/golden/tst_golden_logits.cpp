// Logits and greedy continuations of tiny random models against llama.cpp
// (../shared/goldens/README.md).

#include "engine/model/model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

namespace {

using engine::Job;
using engine::KvStore;
using engine::KvType;
using engine::LogitRows;

const std::filesystem::path kFolder = std::filesystem::path(SHARED_DIR) / "goldens" / "models";

std::vector<std::string> modelNames()
{
    std::vector<std::string> names;
    for (const char* type : {"f32", "f16", "bf16", "q8_0", "q4_0"}) {
        names.push_back(std::string("llama-gqa-") + type);
        names.push_back(std::string("qwen2-") + type);
    }
    for (const char* name :
         {"llama-mha-f32", "llama-linear-f32", "llama-yarn-f32", "llama-nemo-f32"})
        names.emplace_back(name);
    return names;
}

nlohmann::json readJson(const std::string& name)
{
    std::ifstream stream(kFolder / (name + ".json"));
    return nlohmann::json::parse(stream);
}

std::vector<float> readReference(const std::string& name, const nlohmann::json& where,
                                 std::size_t vocabulary)
{
    std::vector<float> values(where["rows"].get<std::size_t>() * vocabulary);
    std::ifstream stream(kFolder / (name + ".logits.f32"), std::ios::binary);
    stream.seekg(where["offset"].get<std::streamoff>());
    stream.read(reinterpret_cast<char*>(values.data()),
                static_cast<std::streamsize>(values.size() * sizeof(float)));
    REQUIRE(stream.good());
    return values;
}

float maxDifference(std::span<const float> a, std::span<const float> b)
{
    REQUIRE(a.size() == b.size());
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        worst = std::max(worst, std::abs(a[i] - b[i]));
    return worst;
}

/// The tokens in pieces of the given size; logits of every row, one after the other.
std::vector<float> runInPieces(engine::LoadedModel& model, std::span<const std::int32_t> tokens,
                               std::size_t piece, KvStore& store)
{
    std::vector<float> all;
    for (std::size_t begin = 0; begin < tokens.size(); begin += piece) {
        const std::size_t count = std::min(piece, tokens.size() - begin);
        Job job;
        job.tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                          tokens.begin() + static_cast<std::ptrdiff_t>(begin + count));
        job.positions.resize(count);
        std::iota(job.positions.begin(), job.positions.end(), store.nextPosition());
        job.logits = LogitRows::All;
        const auto result = model.transformer().run(std::move(job), store);
        all.insert(all.end(), result.logits.begin(), result.logits.end());
    }
    return all;
}

bool quantised(const std::string& name)
{
    return name.ends_with("q8_0") || name.ends_with("q4_0");
}

void compareRun(const std::string& name, const nlohmann::json& run, engine::LoadedModel& model,
                const char* field, float limit)
{
    const auto tokens = run["tokens"].get<std::vector<std::int32_t>>();
    const std::size_t vocabulary = model.config().vocabularySize;
    const auto reference = readReference(name, run[field], vocabulary);
    for (const std::size_t piece : {tokens.size(), std::size_t{32}, std::size_t{7}}) {
        KvStore store(model.kvShape(), KvType::F32);
        const auto logits = runInPieces(model, tokens, piece, store);
        const auto compared = std::span(logits).last(reference.size());
        const float difference = maxDifference(compared, reference);
        INFO(name, " ", run["label"].get<std::string>(), " ", field, " pieces of ", piece,
             ": difference ", difference, ", limit ", limit);
        CHECK(difference <= limit);
    }
}

/// Greedy tokens after p160, up to the first step whose margin is too small to decide.
void compareGreedy(const std::string& name, const nlohmann::json& golden,
                   engine::LoadedModel& model, float tolerance)
{
    const auto& runs = golden["runs"];
    const auto run = std::ranges::find_if(runs, [](const auto& r) { return r["label"] == "p160"; });
    REQUIRE(run != runs.end());
    const auto& greedy = (*run)["greedy"];
    const auto expected = (greedy.is_object() ? greedy["tokens"] : greedy).get<std::vector<int>>();
    const auto& owner = greedy.is_object() ? greedy : *run;
    const auto margins = owner["margins"].get<std::vector<float>>();

    KvStore store(model.kvShape(), KvType::F32);
    const std::size_t vocabulary = model.config().vocabularySize;
    auto tokens = (*run)["tokens"].get<std::vector<std::int32_t>>();
    auto logits = runInPieces(model, tokens, tokens.size(), store);
    std::size_t compared = 0;
    for (std::size_t step = 0; step < expected.size() && margins[step] >= 2 * tolerance; ++step) {
        const auto last = std::span(logits).last(vocabulary);
        const auto best = static_cast<int>(std::ranges::max_element(last) - last.begin());
        INFO(name, " greedy step ", step);
        CHECK(best == expected[step]);
        const std::array<std::int32_t, 1> next{expected[step]};
        logits = runInPieces(model, next, 1, store);
        ++compared;
    }
    MESSAGE(name << ": " << compared << " of " << expected.size() << " greedy tokens compared");
}

} // namespace

TEST_CASE("logits and greedy tokens equal llama.cpp's within the stated tolerance")
{
    if (!std::filesystem::exists(kFolder)) {
        MESSAGE("SKIPPED: the golden models are not at " << kFolder.string());
        return;
    }
    for (const std::string& name : modelNames()) {
        const nlohmann::json golden = readJson(name);
        for (const bool exact : {true, false}) {
            if (!exact && !quantised(name))
                continue;
            const auto model = engine::loadModel(kFolder / (name + ".gguf"),
                                                 {.threads = 2, .exactProducts = exact});
            const bool plain = name.ends_with("f32");
            const char* field = plain ? "logits" : (exact ? "logits_dequant" : "logits_native");
            const auto& tolerance = golden["tolerance"];
            const float limit =
                exact || plain ? 1e-3F : tolerance["int8_activations_max_abs"].get<float>();
            for (const auto& run : golden["runs"]) {
                if (run.contains(field))
                    compareRun(name, run, *model, field, limit);
            }
            compareGreedy(name, golden, *model, limit);
        }
    }
}

TEST_CASE("a model's tokenizer gives the golden prompt's tokens")
{
    if (!std::filesystem::exists(kFolder)) {
        MESSAGE("SKIPPED: the golden models are not at " << kFolder.string());
        return;
    }
    for (const std::string& name : modelNames()) {
        const nlohmann::json golden = readJson(name);
        const auto model = engine::loadModel(kFolder / (name + ".gguf"));
        for (const auto& run : golden["runs"]) {
            if (!run.contains("text"))
                continue;
            const auto text = run["text"].get<std::string>();
            const auto ids =
                model->tokenizer().encode(text, engine::SpecialTokens::Parse, true).ids;
            INFO(name);
            CHECK(ids == run["tokens"].get<std::vector<std::int32_t>>());
        }
    }
}
