#pragma once

#include "engine/backend/backend.h"
#include "engine/model/weights.h"
#include "engine/run/hooks.h"
#include "engine/run/rope_table.h"

#include <stop_token>
#include <vector>

namespace engine {

/// The one forward pass: rows through a range of layers against a KV store, with hooks. Knows rows,
/// layers, lists and segments, and no method. Pre-norm decoder with RoPE, grouped-query attention
/// and SwiGLU.
class Transformer
{
public:
    /// All three outlive the transformer.
    Transformer(const ModelConfig& config, const Weights& weights, Backend& backend);

    /// Appends the job's rows to the store (and takes them away again unless keepsKv), runs the
    /// layers and returns logits or hidden rows. Checks `stop` before each layer and throws
    /// Error(Cancelled). After an exception of any kind the rows of the store are those of before.
    JobResult run(Job job, KvStore& store, Hooks& hooks, std::stop_token stop = {});

    /// A plain causal run without hooks.
    JobResult run(Job job, KvStore& store, std::stop_token stop = {});

    /// The table that the model's file describes; a store may bring another one.
    const RopeTable& ropeTable() const { return m_rope; }
    const ModelConfig& config() const { return m_config; }
    Backend& backend() { return m_backend; }
    /// Rows with the role Document that were run so far, in all stores.
    std::uint64_t documentRowsRun() const { return m_documentRowsRun; }
    /// Bytes of the buffers held between layers.
    std::size_t bufferBytes() const;

private:
    struct Rows; // the state of one job
    class LayerScorer;

    JobResult runLayers(Job job, KvStore& store, Hooks& hooks, const KvStore::Mark& before,
                        const std::stop_token& stop);
    void runLayer(Rows& rows, std::uint32_t layer, KvStore& store, Hooks& hooks);
    void embed(std::vector<float>& hidden, const Job& job);
    void project(Rows& rows, std::uint32_t layer, KvStore& store, Hooks& hooks);
    struct Projection; // one of the products around the attention
    static const Projection kQuery, kKey, kValue, kOutput;
    void multiply(std::span<float> out, std::span<const float> in, const Rows& rows,
                  std::uint32_t layer, const Projection& projection);
    void multiply(std::span<float> out, std::span<const float> in, const ProjectionWeights& weights,
                  const Projection& projection);
    kernels::AttentionShape attentionShape(const Rows& rows) const;
    void attend(Rows& rows, std::uint32_t layer, const KvStore& store,
                const kernels::ScoreSpec* pass);
    void attendTo(const Segment& segment, std::span<float> out, std::span<float> lse,
                  const Rows& rows, std::uint32_t layer, const KvStore& store);
    void leaveOut(Segment& segment, const Rows& rows, std::uint32_t layer) const;
    void chooseSegments(Rows& rows, const LayerStep& step, Hooks& hooks);
    std::span<const float> queryOf(const Segment& segment, const Rows& rows, std::uint32_t layer);
    std::span<const kernels::KvListView> listsOf(const Segment& segment, std::uint32_t layer,
                                                 const KvStore& store);
    void score(const Rows& rows, const LayerStep& step, const kernels::ScoreSpec* pass,
               bool attended, Hooks& hooks);
    void keepLogitRows(Rows& rows, bool attended);
    void feedForward(Rows& rows, const LayerWeights& weights);
    void keepRows(Rows& rows, std::span<const std::uint32_t> ascending);
    std::vector<float> logitsOf(std::span<const float> hidden);

    const ModelConfig& m_config;
    const Weights& m_weights;
    Backend& m_backend;
    RopeTable m_rope;
    std::uint64_t m_documentRowsRun = 0;
    std::vector<kernels::KvListView> m_lists; // of the layer
    KvStore::LayerViews m_mixedViews;         // of a segment with keys or values of other layers
    std::vector<float> m_normed, m_query, m_key, m_value, m_attended, m_lse, m_partOut, m_partLse,
        m_partQuery, m_gate, m_up, m_projected, m_groupIn, m_groupOut;
    std::vector<float> m_scores; // of the pass that went with the attention; empty: none did
};

} // namespace engine
