// Loading beacon parameters, and what is refused (structural.md 4.3; check B5).

#include "engine/model/beacon.h"
#include "tests/engine/methods/beacon_runs.h"

#include <array>
#include <doctest/doctest.h>
#include <fstream>

namespace {

using namespace engine;
using namespace tests;

ModelConfig shape(std::uint32_t layers, std::uint32_t heads, std::uint32_t kvHeads,
                  std::uint32_t width, bool biases)
{
    ModelConfig config;
    config.layers = layers;
    config.heads = heads;
    config.kvHeads = kvHeads;
    config.headDim = 128;
    config.width = width;
    config.qkvBias = biases;
    return config;
}

/// The sentence with which the config is refused; empty if it is not.
std::string refusal(const BeaconModel& model, const std::string& json)
{
    try {
        readBeaconConfig(parseJson(json, "config.json"), "config.json", model.model()->config());
        return {};
    } catch (const Error& error) {
        return error.what();
    }
}

std::string replaced(std::string text, const std::string& from, const std::string& to)
{
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

/// The sentence with which a file is refused as the parameters of the model.
std::string refusal(const BeaconModel& model, SafetensorsWriter writer)
{
    const TemporaryFolder folder;
    writer.setMetadata("config", model.checkpoint().config());
    writer.write(folder.path() / "x.safetensors");
    try {
        loadBeacon(folder.path() / "x.safetensors", model.model()->config(),
                   model.model()->weights());
        return {};
    } catch (const Error& error) {
        return error.what();
    }
}

bool contains(const std::string& text, const std::string& part)
{
    CAPTURE(text);
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("the numbers of parameters are those published")
{
    CHECK(beaconParameterCount(shape(28, 28, 4, 3584, true), "qkv") == 462'554'624);
    CHECK(beaconParameterCount(shape(32, 32, 8, 4096, false), "qkv") == 805'310'464);
    CHECK(beaconParameterCount(shape(32, 32, 32, 4096, false), "qkv") == 1'610'616'832);
    CHECK(beaconParameterCount(shape(32, 32, 8, 4096, false), "") == 4096);
}

TEST_CASE("a loaded checkpoint has as many numbers as the formula says")
{
    for (const bool biases : {false, true}) {
        for (const char* letters : {"qkv", "qkvo", "", "k"}) {
            const BeaconModel model({.biases = biases, .projections = letters});
            const BeaconParameters& beacon = model.model()->beacon();
            CHECK(beacon.bytes == 4 * beaconParameterCount(model.model()->config(), letters));
            CHECK(model.model()->weights().extraSets.size() == 1);
            CHECK(beacon.identity.size() == 64);
        }
    }
}

TEST_CASE("a single file with its config in the metadata is the same as a folder")
{
    const BeaconModel model({.biases = true, .sinks = 2});
    const BeaconParameters& folder = model.model()->beacon();
    const auto path = model.folder() / "other.beacon.safetensors";
    SafetensorsWriter writer = model.checkpoint().writer();
    writer.setMetadata("config", model.checkpoint().config());
    writer.write(path);
    CHECK(findBeacon(model.folder() / "other.gguf") == path);
    CHECK(findBeacon(model.folder() / "none.gguf") == std::nullopt);
    const BeaconParameters file =
        loadBeacon(path, model.model()->config(), model.model()->weights());
    CHECK(file.identity == folder.identity);
    CHECK(file.config.window == 8);
    CHECK(file.config.sinks == 2);
    CHECK(file.config.ratios == std::vector<std::uint32_t>{2, 4, 8});
    const BeaconModel another({.biases = true, .sinks = 1});
    CHECK(another.model()->beacon().identity != folder.identity);
}

TEST_CASE("missing and extra beacon tensors and wrong shapes are refused by name")
{
    const BeaconModel model({.biases = true});
    const BeaconCheckpoint& checkpoint = model.checkpoint();
    CHECK(refusal(model, checkpoint.writer()).empty());
    CHECK(contains(refusal(model, checkpoint.writer({"model.beacon_embed_tokens.weight"})),
                   "has no beacon parameters"));
    const std::string key = "model.layers.1.self_attn.beacon_k_proj.";
    CHECK(contains(refusal(model, checkpoint.writer({key + "weight"})),
                   "lacks the tensor " + key + "weight"));
    CHECK(contains(refusal(model, checkpoint.writer({key + "bias"})),
                   "lacks the tensor " + key + "bias"));
    const std::vector<std::byte> data(4 * 64 * 128);
    SafetensorsWriter extra = checkpoint.writer();
    extra.addTensor("model.layers.0.self_attn.beacon_o_proj.weight", "F32", {64, 128}, data);
    CHECK(
        contains(refusal(model, std::move(extra)), "beacon_o_proj.weight, which does not belong"));
    SafetensorsWriter layer = checkpoint.writer();
    layer.addTensor("model.layers.2.self_attn.beacon_k_proj.weight", "F32", {64, 128}, data);
    CHECK(contains(refusal(model, std::move(layer)), "layers.2.self_attn.beacon_k_proj.weight"));
    SafetensorsWriter shaped = checkpoint.writer({key + "weight"});
    shaped.addTensor(key + "weight", "F32", {128, 64}, data);
    CHECK(contains(refusal(model, std::move(shaped)),
                   key + "weight has the shape 128 x 64 instead of 64 x 128"));
    SafetensorsWriter typed = checkpoint.writer({key + "weight"});
    typed.addTensor(key + "weight", "I32", {64, 128}, data);
    CHECK(contains(refusal(model, std::move(typed)), "is stored as I32 instead of F32, F16"));
    // Biases where the model has none.
    const BeaconModel plain({.biases = false});
    SafetensorsWriter biased = plain.checkpoint().writer();
    biased.addTensor(key + "bias", "F32", {64}, std::span(data).first(256));
    CHECK(contains(refusal(plain, std::move(biased)), key + "bias, which does not belong"));
}

TEST_CASE("a config of another kind or for another model is refused by its key")
{
    const BeaconModel model({.window = 16});
    const std::string good = model.checkpoint().config();
    CHECK(refusal(model, good).empty());
    const std::array<std::array<const char*, 3>, 15> bad{{
        {R"("beacon_pos": "interleave")", R"("beacon_pos": "append")",
         R"(its beacon_pos is "append", but must be "interleave")"},
        {R"("beacon_pos": "interleave", )", "", "its beacon_pos is missing"},
        {R"("full-coverage")", R"("segmentation")", R"(beacon_attn is "segmentation")"},
        {R"("beacon_attend_prev": true)", R"("beacon_attend_prev": false)",
         "beacon_attend_prev is false, but must be true"},
        {R"("beacon_parallel_window": 1)", R"("beacon_parallel_window": 2)",
         "beacon_parallel_window is 2, but must be 1"},
        {R"("beacon_stride": 16)", R"("beacon_stride": 8)", "beacon_stride is 8, but must be 16"},
        {R"("beacon_window": 16)", R"("beacon_window": 0)", "a number from 1 to 65536"},
        {R"("beacon_sink_size": 0)", R"("beacon_sink_size": 17)", "a number from 0 to 16"},
        {R"([2, 4, 8])", R"([2, 3])", "beacon_ratio is 3, but must be 0, or one of 2, 4, 8"},
        {R"([2, 4, 8])", R"([32])", "that divides the window of 16"},
        {R"([2, 4, 8])", R"([])", "at least one of 2, 4, 8, 16 and 32"},
        {R"([2, 4, 8])", R"([0])", "at least one of 2, 4, 8, 16 and 32"},
        {R"(["q", "k", "v"])", R"(["q", "x"])", "the letters q, k, v and o"},
        {R"(["q", "k", "v"])", R"("qkv")", "the letters q, k, v and o"},
        {R"("hidden_size": 128)", R"("hidden_size": 256)",
         "its hidden_size is 256, but Synthetic has 128"},
    }};
    for (const auto& [from, to, words] : bad)
        CHECK(contains(refusal(model, replaced(good, from, to)), words));
    CHECK(refusal(model, replaced(good, "[2, 4, 8]", "4")).empty());
    const BeaconConfig defaults = readBeaconConfig(
        parseJson(R"({"beacon_pos": "interleave"})", "x"), "x", model.model()->config());
    CHECK(defaults.window == 1024);
    CHECK(defaults.ratios == std::vector<std::uint32_t>{2, 4, 8, 16, 32});
    CHECK(defaults.projections.empty());
}

TEST_CASE("a model without beacons, and a file without its config, say what to do")
{
    const TemporaryFolder folder;
    const BeaconCheckpoint checkpoint({});
    checkpoint.writeModel(folder.path() / "m.gguf");
    const auto model = loadModel(folder.path() / "m.gguf", {.threads = 1});
    CHECK_THROWS_WITH_AS(
        model->beacon(),
        "Synthetic has no beacon parameters, which are trained for one model: neither the folder "
        "m.beacon nor the file m.beacon.safetensors lies beside it. Put one of them there, or "
        "choose another method, for instance kvzip.",
        Error);
    checkpoint.writer().write(folder.path() / "m.beacon.safetensors");
    CHECK_THROWS_WITH_AS(model->beacon(), doctest::Contains("has no entry \"config\""), Error);
    std::filesystem::create_directories(folder.path() / "m.beacon");
    CHECK_THROWS_WITH_AS(model->beacon(), doctest::Contains("has 0 files that end in .safetensors"),
                         Error);
    checkpoint.writer().write(folder.path() / "m.beacon" / "model.safetensors");
    CHECK_THROWS_WITH_AS(model->beacon(), doctest::Contains("config.json is not there"), Error);
    checkpoint.writeFolder(folder.path() / "m.beacon");
    CHECK_NOTHROW(model->beacon());
}
