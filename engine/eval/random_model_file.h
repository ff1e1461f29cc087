#pragma once

#include "engine/eval/random_model.h"

#include <filesystem>

namespace engine {

/// 8 layers, width 576, 9/3 heads of 64, feed-forward 1536: the layers of published models of 135
/// million parameters, fewer of them, so that measuring takes minutes. What a token costs in
/// weights and in keys and values stands in the same relation as there.
ModelConfig smallShape();

/// 4 of the 16 layers of oneBillionShape(): a token costs more in weights, compared with what it
/// costs in attention.
ModelConfig largeShape();

/// A model file with random weights that goes with the object.
class RandomModelFile
{
public:
    /// Takes the tokenizer from another model file; its vocabulary becomes the model's. Throws
    /// Error (DiskFull, NotFound, Damaged).
    RandomModelFile(ModelConfig config, const std::filesystem::path& tokenizerFrom);
    ~RandomModelFile();
    RandomModelFile(const RandomModelFile&) = delete;
    RandomModelFile& operator=(const RandomModelFile&) = delete;

    std::filesystem::path path() const { return m_folder / "random.gguf"; }

private:
    std::filesystem::path m_folder;
};

} // namespace engine
