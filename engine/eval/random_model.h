#pragma once

#include "engine/model/model_config.h"
#include "engine/model/weights.h"

#include <vector>

namespace engine {

/// A model of a given shape with random Q8_0 weights in memory, for measuring: its answers mean
/// nothing, its speed is that of a real model of the shape.
class RandomModel
{
public:
    explicit RandomModel(ModelConfig config);

    const ModelConfig& config() const { return m_config; }
    const Weights& weights() const { return m_weights; }

private:
    kernels::WeightView matrix(std::size_t rows, std::size_t cols);

    ModelConfig m_config;
    Weights m_weights;
    std::vector<std::vector<std::byte>> m_storage;
    std::uint32_t m_state = 1;
};

/// 16 layers, width 2048, 32/8 heads of 64, feed-forward 8192: about 1 billion parameters without
/// the vocabulary.
ModelConfig oneBillionShape();

} // namespace engine
