#pragma once

#include "engine/backend/backend.h"
#include "engine/model/weights.h"

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// How long a value is once its query head's part of the output projection was applied:
/// |W_O v| = sqrt(v' M v) with M = W_O' W_O of that head (structural.md 6.2), so that a token costs
/// headDim^2 and not headDim * width. Used by one thread at a time.
class OutputNorms
{
public:
    /// All three must outlive the object.
    OutputNorms(Backend& backend, const Weights& weights, const ModelConfig& config);

    /// values (count, headDim) of a KV head -> (query heads of its group, count).
    std::vector<float> of(std::uint32_t layer, std::uint32_t kvHead, std::span<const float> values);

private:
    void computeLayer(std::uint32_t layer);

    Backend& m_backend;
    const Weights& m_weights;
    const ModelConfig& m_config;
    std::vector<std::vector<float>> m_products; // [layer]: (heads, headDim, headDim), once needed
};

} // namespace engine
