#pragma once

#include "engine/gguf/gguf_file.h"
#include "engine/run/rope_table.h"
#include "kernels/elementwise.h"

#include <cstdint>
#include <string>

namespace engine {

/// The facts about a model that the forward pass needs; no name of a family is asked for after
/// loading.
struct ModelConfig
{
    std::string architecture;
    std::string name;
    std::uint32_t layers = 0;
    std::uint32_t width = 0; // of the residual stream
    std::uint32_t heads = 0;
    std::uint32_t kvHeads = 0;
    std::uint32_t headDim = 0;
    std::uint32_t ffnWidth = 0;
    std::uint32_t vocabularySize = 0;
    std::uint32_t contextLength = 0;
    float normEpsilon = 1e-5F;
    bool qkvBias = false;
    kernels::cpu::RopePairing pairing = kernels::cpu::RopePairing::Halves;
    RopeConfig rope;
};

/// Reads the configuration of a supported architecture.
/// Throws Unsupported (unknown architecture, head size the kernels lack) or Damaged, naming the
/// field.
ModelConfig readModelConfig(const GgufFile& file);

} // namespace engine
