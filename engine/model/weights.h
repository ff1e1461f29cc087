#pragma once

#include "engine/gguf/gguf_file.h"
#include "engine/model/model_config.h"
#include "kernels/matmul.h"

#include <memory>
#include <vector>

namespace engine {

/// What the rows of one weight set are multiplied with around a layer's attention. Matrices are
/// views into a mapped file; vectors are copies.
struct ProjectionWeights
{
    kernels::WeightView query;    // (heads * headDim, width)
    kernels::WeightView key;      // (kvHeads * headDim, width)
    kernels::WeightView value;    // (kvHeads * headDim, width)
    kernels::WeightView output;   // (width, heads * headDim)
    std::vector<float> queryBias; // empty, or one per row of the matrix
    std::vector<float> keyBias;
    std::vector<float> valueBias;
};

/// One transformer layer.
struct LayerWeights : ProjectionWeights
{
    std::vector<float> attentionNorm; // (width)
    std::vector<float> ffnNorm;       // (width)
    kernels::WeightView gate;         // (ffnWidth, width)
    kernels::WeightView up;           // (ffnWidth, width)
    kernels::WeightView down;         // (width, ffnWidth)
};

/// Embeddings and projections for rows that are not text. Everything else is shared with the text.
struct WeightSet
{
    kernels::WeightView embedding; // (ids, width); id 0 is the token vocabularySize
    std::vector<ProjectionWeights> layers;
    std::shared_ptr<const void> storage; // what the views look into
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
    /// A row of weight set n > 0 (Job::weightSets) uses extraSets[n - 1].
    std::vector<WeightSet> extraSets;
};

/// Throws Damaged (missing tensor, wrong shape) or Unsupported (weight type), naming the tensor.
Weights mapWeights(std::shared_ptr<const GgufFile> file, const ModelConfig& config);

/// The float32 numbers of a small tensor such as rope_freqs.weight; empty if there is none.
std::vector<float> readVector(const GgufFile& file, std::string_view name);

} // namespace engine
