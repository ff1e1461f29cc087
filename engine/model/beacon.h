#pragma once

#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "engine/safetensors/json_value.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

// Parameters of Activation Beacon (Zhang et al. 2024, arXiv 2401.03462) that were trained for a
// model and lie beside it; the layout is in docs/file-formats.md.

/// How a model's beacons were trained (the beacon_* keys of config.json).
struct BeaconConfig
{
    std::uint32_t window = 1024;       // text tokens after which only the beacons stay
    std::vector<std::uint32_t> ratios; // text tokens per beacon, ascending; 0: rows that stay raw
    std::uint32_t sinks = 0;           // first rows of the text that stay as they are
    std::string projections;           // those of "qkvo" that beacons have of their own
};

struct BeaconParameters
{
    BeaconConfig config;
    WeightSet weights;
    std::uint64_t bytes = 0; // of all tensors
    std::string identity;    // 64 hex digits over the configuration and the tensors
};

/// How many numbers the parameters have (structural.md 4.3): an embedding of `width` and per layer
/// the given projections, with biases where the model has them.
std::uint64_t beaconParameterCount(const ModelConfig& model, std::string_view projections);

/// NAME.beacon or NAME.beacon.safetensors beside NAME.gguf; nothing when there is neither.
std::optional<std::filesystem::path> findBeacon(const std::filesystem::path& model);

/// Checks config.json, which `name` stands for in sentences, against the model. Throws Unsupported
/// or Mismatch, naming the key, its value and what is allowed.
BeaconConfig readBeaconConfig(const JsonValue& json, const std::string& name,
                              const ModelConfig& model);

/// `path` is a folder or a file. Projections that the parameters do not have are those of `base`.
/// Throws Unsupported, Mismatch, Damaged or NotFound, naming the key or tensor and what is allowed.
BeaconParameters loadBeacon(const std::filesystem::path& path, const ModelConfig& model,
                            const Weights& base);

} // namespace engine
