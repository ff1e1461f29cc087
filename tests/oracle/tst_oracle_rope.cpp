// Scaled RoPE against transformers beyond the original window: the table of frequencies and the
// last logits of whole models with the golden weights.

#include "engine/kv/kv_store.h"
#include "engine/model/model.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

namespace {

using namespace engine;

const std::filesystem::path kModels = std::filesystem::path(SHARED_DIR) / "goldens" / "models";
const std::filesystem::path kData =
    std::filesystem::path(SOURCE_DIR) / "tests" / "oracle" / "data" / "rope.json";

/// transformers states how many times longer the text may be; ours how long.
void setLengths(RopeConfig& config, const nlohmann::json& rope, std::size_t tokens)
{
    const char* key = config.scaling == RopeScaling::DynamicNtk
                          ? "max_position_embeddings"
                          : "original_max_position_embeddings";
    config.originalContext = rope.value(key, std::uint64_t{0});
    config.contextLength = static_cast<std::uint64_t>(
        std::lround(static_cast<double>(config.originalContext) * rope.value("factor", 1.0)));
    config.plannedLength = tokens;
}

void setLongRope(RopeConfig& config, const nlohmann::json& rope)
{
    config.factor = 1; // transformers' "factor" is the stretch of the window and divides nothing
    config.divisors = rope["short_factor"].get<std::vector<float>>();
    config.longDivisors = rope["long_factor"].get<std::vector<float>>();
}

/// The configuration that means the same as transformers' rope_parameters.
RopeConfig configOf(const nlohmann::json& one, const ModelConfig& model)
{
    const nlohmann::json& rope = one["rope"];
    const std::string variant = one["variant"];
    const std::map<std::string, RopeScaling> scalings{
        {"default", RopeScaling::None},       {"linear", RopeScaling::Linear},
        {"dynamic", RopeScaling::DynamicNtk}, {"yarn", RopeScaling::Yarn},
        {"llama3", RopeScaling::Llama3},      {"longrope", RopeScaling::LongRope}};
    RopeConfig config;
    config.scaling = scalings.at(rope["rope_type"]);
    config.rotaryDims = model.headDim;
    config.base = rope["rope_theta"];
    config.factor = rope.value("factor", 1.0);
    setLengths(config, rope, one["tokens"]);
    config.betaFast = rope.value("beta_fast", 32.0);
    config.betaSlow = rope.value("beta_slow", 1.0);
    config.wholeRange = rope.value("truncate", true);
    config.lowFrequencyFactor = rope.value("low_freq_factor", 1.0);
    config.highFrequencyFactor = rope.value("high_freq_factor", 4.0);
    if (rope.contains("attention_factor"))
        config.attentionFactor = rope["attention_factor"].get<double>();
    if (config.scaling == RopeScaling::Yarn && config.attentionFactor) {
        // Ours multiplies YaRN's magnitude, as llama.cpp does; transformers replaces it.
        *config.attentionFactor /= yarnMagnitude(config.factor);
    }
    if (config.scaling == RopeScaling::LongRope)
        setLongRope(config, rope);
    if (variant == "ntk") {
        // transformers was given the base after raising it by this factor; ours gets the model's
        // own.
        config = model.rope;
        config.scaling = RopeScaling::Ntk;
        config.factor = 4;
    }
    return config;
}

double worst(std::span<const float> ours, const std::vector<float>& theirs)
{
    REQUIRE(ours.size() == theirs.size());
    double difference = 0;
    for (std::size_t i = 0; i < ours.size(); ++i)
        difference = std::max(difference, static_cast<double>(std::abs(ours[i] - theirs[i])));
    return difference;
}

void checkTable(const nlohmann::json& one, const RopeTable& table)
{
    const auto frequencies = one["frequencies"].get<std::vector<double>>();
    REQUIRE(frequencies.size() == table.frequencies.size());
    for (std::size_t i = 0; i < frequencies.size(); ++i)
        CHECK(table.frequencies[i] == doctest::Approx(frequencies[i]).epsilon(2e-6));
    CHECK(table.magnitude == doctest::Approx(one["magnitude"].get<double>()).epsilon(1e-6));
}

void checkLogits(const nlohmann::json& one, const std::vector<std::int32_t>& tokens,
                 LoadedModel& model, const ModelConfig& config)
{
    Transformer transformer(config, model.weights(), model.backend());
    KvStore store(model.kvShape(), KvType::F32);
    Job job;
    job.tokens = tokens;
    job.tokens.resize(one["tokens"].get<std::size_t>());
    job.positions.resize(job.tokens.size());
    std::iota(job.positions.begin(), job.positions.end(), 0);
    job.logits = LogitRows::Last;
    const JobResult result = transformer.run(std::move(job), store);
    const double difference = worst(result.logits, one["logits"].get<std::vector<float>>());
    INFO("largest difference of a logit ", difference);
    CHECK(difference < 1e-3);
}

} // namespace

TEST_CASE(
    "linear, NTK, dynamic NTK, YaRN, llama3 and longrope give transformers' frequencies and logits")
{
    if (!std::filesystem::exists(kModels)) {
        MESSAGE("SKIPPED: the golden models are not at " << kModels.string());
        return;
    }
    std::ifstream stream(kData);
    const auto data = nlohmann::json::parse(stream);
    const auto tokens = data["tokens"].get<std::vector<std::int32_t>>();
    for (const auto& one : data["cases"]) {
        const auto name = one["model"].get<std::string>();
        const auto model = loadModel(kModels / (name + ".gguf"), {.threads = 2});
        INFO(name, ", ", one["variant"].get<std::string>());
        ModelConfig config = model->config();
        config.rope = configOf(one, model->config());
        checkTable(one, makeRopeTable(config.rope));
        checkLogits(one, tokens, *model, config);
    }
    CHECK(data["cases"].size() == 26);
}
