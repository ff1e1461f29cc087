#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// How alike the layers of a model attend, by KV head, and which of them the method pod would let
/// share keys.
struct LayerSimilarityReport
{
    std::uint32_t layers = 0;
    std::uint32_t kvHeads = 0;
    std::uint32_t tokens = 0; // of the text on which they were compared
    std::uint32_t rows = 0;   // of them, the last ones, whose attention was compared
    double threshold = 0;     // from which on layers share
    /// (kvHeads, layers, layers): 1 is the same attention, 0 has no entry in common.
    std::vector<float> similarity;
    std::vector<std::uint32_t> owners; // (layers, kvHeads) layer whose keys are used
    std::uint32_t blocks = 0;          // of layers, summed over the KV heads
    double largestSaving = 0;          // share of the bytes, for texts without end
};

/// Compares the layers on the beginning of a sample text. `settings` are those of pod. Throws
/// Error: BadInput for settings or a sample that is too short, Cancelled.
LayerSimilarityReport measureLayerSimilarity(const std::shared_ptr<LoadedModel>& model,
                                             std::string_view sample,
                                             const std::map<std::string, double>& settings = {},
                                             const std::stop_token& stop = {});

} // namespace engine
