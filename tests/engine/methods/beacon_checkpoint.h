#pragma once

#include "engine/model/model.h"
#include "engine/safetensors/safetensors_writer.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tests {

/// What a synthetic model and its beacons look like.
struct BeaconSpec
{
    bool biases = false; // Qwen2 with biases and halves paired; else Llama, whose GGUF pairs
                         // neighbours
    std::uint32_t window = 8;
    std::string ratios = "[2, 4, 8]"; // as in config.json
    std::uint32_t sinks = 0;
    std::string projections = "qkv"; // of beacons, for beacon_param
    bool copies = false;      // beacons have the model's projections and the embedding of </s>
    std::string type = "F32"; // of the beacon tensors
    std::uint32_t contextLength = 4096;
};

/// Random weights in the layout and order of Hugging Face, and the files made of them. The first
/// 259 tokens are <unk>, <s>, </s> and the 256 bytes.
class BeaconCheckpoint
{
public:
    static constexpr std::uint32_t kLayers = 2, kWidth = 128, kHeads = 4, kKvHeads = 2,
                                   kHeadDim = 32, kFfn = 96, kVocabulary = 259;
    static constexpr std::int32_t kEnd = 2; // </s>

    explicit BeaconCheckpoint(const BeaconSpec& spec);

    const BeaconSpec& spec() const { return m_spec; }
    /// By the names of Hugging Face; beacon tensors as the file's type rounds them.
    const std::vector<float>& tensor(const std::string& name) const { return m_tensors.at(name); }
    bool has(const std::string& name) const { return m_tensors.contains(name); }
    const std::map<std::string, std::vector<std::uint64_t>>& shapes() const { return m_shapes; }

    /// NAME.gguf, the base model in llama.cpp's layout.
    void writeModel(const std::filesystem::path& path) const;
    /// config.json and model.safetensors with all tensors.
    void writeFolder(const std::filesystem::path& folder) const;
    /// The text of config.json.
    std::string config() const;
    /// The file with all tensors but those named; more can be added.
    engine::SafetensorsWriter writer(const std::vector<std::string>& without = {}) const;

private:
    void add(const std::string& name, std::vector<std::uint64_t> shape, float scale);
    void addLayer(const std::string& prefix);
    void addBeacons();
    std::string typeOf(const std::string& name) const;

    BeaconSpec m_spec;
    std::map<std::string, std::vector<float>> m_tensors;
    std::map<std::string, std::vector<std::uint64_t>> m_shapes;
    std::uint32_t m_state = 12345;
};

} // namespace tests
