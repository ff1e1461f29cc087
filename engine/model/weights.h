#pragma once

#include "engine/gguf/gguf_file.h"
#include "engine/model/model_config.h"
#include "kernels/matmul.h"

#include <memory>
#include <vector>

namespace engine {

/// One transformer layer. Matrices are views into the mapped file; vectors are copies.
struct LayerWeights
{
    std::vector<float> attentionNorm; // (width)
    kernels::WeightView query;        // (heads * headDim, width)
    kernels::WeightView key;          // (kvHeads * headDim, width)
    kernels::WeightView value;        // (kvHeads * headDim, width)
    kernels::WeightView output;       // (width, heads * headDim)
    std::vector<float> queryBias;     // empty, or one per row of the matrix
    std::vector<float> keyBias;
    std::vector<float> valueBias;
    std::vector<float> ffnNorm; // (width)
    kernels::WeightView gate;   // (ffnWidth, width)
    kernels::WeightView up;     // (ffnWidth, width)
    kernels::WeightView down;   // (width, ffnWidth)
};

/// Where every tensor of a model is. Keeps the file mapped.
struct Weights
{
    std::shared_ptr<const GgufFile> file;
    kernels::WeightView embedding; // (vocabulary, width)
    std::vector<LayerWeights> layers;
    std::vector<float> outputNorm; // (width)
    kernels::WeightView output;    // (vocabulary, width); the embedding when tied
    std::uint64_t bytes = 0;       // of all matrices
};

/// Throws Damaged (missing tensor, wrong shape) or Unsupported (weight type), naming the tensor.
Weights mapWeights(std::shared_ptr<const GgufFile> file, const ModelConfig& config);

/// The float32 numbers of a small tensor such as rope_freqs.weight; empty if there is none.
std::vector<float> readVector(const GgufFile& file, std::string_view name);

} // namespace engine
