#pragma once

#include "engine/backend/backend.h"
#include "engine/methods/method.h"
#include "engine/model/output_norms.h"
#include "engine/run/transformer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tests {

/// Rows kept per (layer, KV head).
using KeptRows = std::vector<std::vector<std::vector<std::uint32_t>>>;

/// A model of two layers with four query heads in two groups and random float32 weights, and
/// methods run on it without prompts, contexts or files.
class TinyRun
{
public:
    /// swapped: the query heads of each group stand in the other order, with their parts of the
    /// output projection; the function that the model computes is the same.
    explicit TinyRun(bool swapped = false);
    TinyRun(const TinyRun&) = delete;
    TinyRun& operator=(const TinyRun&) = delete;

    static constexpr std::uint32_t kTokens = 400;
    static constexpr std::uint32_t kVocabulary = 64;

    /// A plan for a document of random tokens, with the method's default settings.
    engine::DocumentPlan plan(const std::string& method, double keep,
                              const std::map<std::string, double>& settings = {});

    /// The store after all jobs; `warnings` gets the method's.
    engine::KvStore apply(const std::string& method, const engine::DocumentPlan& plan,
                          std::vector<std::string>* warnings = nullptr);

    /// Embedding of a token, to be changed.
    std::span<float> embedding(std::int32_t token);
    const engine::Weights& weights() const { return m_weights; }
    engine::OutputNorms& norms() { return m_norms; }

private:
    kernels::WeightView matrix(std::size_t rows, std::size_t cols, std::uint32_t seed);
    void swapGroups(engine::LayerWeights& layer);

    engine::ModelConfig m_config;
    engine::Weights m_weights;
    std::vector<std::vector<float>> m_storage;
    std::unique_ptr<engine::Backend> m_backend;
    std::unique_ptr<engine::Transformer> m_transformer;
    engine::OutputNorms m_norms;
};

KeptRows keptRows(const engine::KvStore& store);

} // namespace tests
