// Embeddings and the products around the attention. Rows of different weight sets are multiplied
// set by set, each row once (structural.md 4.3, 7.6 K7).

#include "engine/run/transformer_rows.h"

#include <algorithm>
#include <cassert>

namespace engine {
namespace {

/// Rows that share a weight set, ascending.
struct RowGroup
{
    std::size_t weightSet = 0;
    std::vector<std::uint32_t> rows;
};

/// `indices` are those of the rows in the job.
std::vector<RowGroup> groupRows(std::span<const std::uint8_t> weightSets,
                                std::span<const std::uint32_t> indices)
{
    std::vector<RowGroup> groups;
    for (std::uint32_t row = 0; row < indices.size(); ++row) {
        const std::size_t set = weightSets[indices[row]];
        auto group = std::ranges::find(groups, set, &RowGroup::weightSet);
        if (group == groups.end())
            group = groups.insert(groups.end(), RowGroup{set, {}});
        group->rows.push_back(row);
    }
    return groups;
}

} // namespace

struct Transformer::Projection
{
    kernels::WeightView ProjectionWeights::*matrix;
    std::vector<float> ProjectionWeights::*bias = nullptr;
};

const Transformer::Projection Transformer::kQuery{&ProjectionWeights::query,
                                                  &ProjectionWeights::queryBias};
const Transformer::Projection Transformer::kKey{&ProjectionWeights::key,
                                                &ProjectionWeights::keyBias};
const Transformer::Projection Transformer::kValue{&ProjectionWeights::value,
                                                  &ProjectionWeights::valueBias};
const Transformer::Projection Transformer::kOutput{&ProjectionWeights::output};

void Transformer::embed(std::vector<float>& hidden, const Job& job)
{
    const std::size_t width = m_config.width;
    hidden.resize(job.tokens.size() * width);
    if (job.weightSets.empty()) {
        m_backend.embed(hidden, m_weights.embedding, job.tokens);
        return;
    }
    for (std::size_t row = 0; row < job.tokens.size(); ++row) {
        const std::size_t set = job.weightSets[row];
        std::int32_t id = job.tokens[row];
        if (set > 0)
            id -= static_cast<std::int32_t>(m_config.vocabularySize);
        const kernels::WeightView& table =
            set > 0 ? m_weights.extraSets[set - 1].embedding : m_weights.embedding;
        assert(id >= 0 && static_cast<std::size_t>(id) < table.rows);
        m_backend.embed(std::span(hidden).subspan(row * width, width), table, {&id, 1});
    }
}

void Transformer::multiply(std::span<float> out, std::span<const float> in,
                           const ProjectionWeights& weights, const Projection& projection)
{
    const kernels::WeightView& matrix = weights.*projection.matrix;
    m_backend.matmul(out, in, matrix, in.size() / matrix.cols);
    if (projection.bias != nullptr && !(weights.*projection.bias).empty())
        m_backend.addBias(out, weights.*projection.bias);
}

void Transformer::multiply(std::span<float> out, std::span<const float> in, const Rows& rows,
                           std::uint32_t layer, const Projection& projection)
{
    if (rows.job.weightSets.empty()) {
        multiply(out, in, m_weights.layers[layer], projection);
        return;
    }
    const std::size_t inWidth = in.size() / rows.count();
    const std::size_t outWidth = out.size() / rows.count();
    for (const RowGroup& group : groupRows(rows.job.weightSets, rows.indices)) {
        m_groupIn.resize(group.rows.size() * inWidth);
        m_groupOut.resize(group.rows.size() * outWidth);
        for (std::size_t i = 0; i < group.rows.size(); ++i)
            std::copy_n(&in[group.rows[i] * inWidth], inWidth, &m_groupIn[i * inWidth]);
        const ProjectionWeights& weights =
            group.weightSet == 0 ? m_weights.layers[layer]
                                 : m_weights.extraSets[group.weightSet - 1].layers[layer];
        multiply(m_groupOut, m_groupIn, weights, projection);
        for (std::size_t i = 0; i < group.rows.size(); ++i)
            std::copy_n(&m_groupOut[i * outWidth], outWidth, &out[group.rows[i] * outWidth]);
    }
}

void Transformer::project(Rows& rows, std::uint32_t layer, KvStore& store, Hooks& hooks)
{
    const std::size_t count = rows.count();
    const std::size_t headDim = m_config.headDim;
    m_normed.resize(count * m_config.width);
    m_query.resize(count * m_config.heads * headDim);
    m_key.resize(count * m_config.kvHeads * headDim);
    m_value.resize(m_key.size());

    m_backend.rmsNorm(m_normed, rows.hidden, m_weights.layers[layer].attentionNorm,
                      m_config.normEpsilon);
    multiply(m_query, m_normed, rows, layer, kQuery);
    multiply(m_key, m_normed, rows, layer, kKey);
    multiply(m_value, m_normed, rows, layer, kValue);
    hooks.onProjections(rows.step(layer, m_config.layers, store), m_normed, m_query, m_key,
                        m_value);
    const RopeTable& rope = *rows.rope;
    m_backend.rope(m_query, rows.positions, rope.frequencies, m_config.heads, headDim,
                   m_config.pairing, rope.magnitude);
    m_backend.rope(m_key, rows.positions, rope.frequencies, m_config.kvHeads, headDim,
                   m_config.pairing, rope.magnitude);
    store.appendKv(layer, m_key, m_value, rows.orders, m_backend);
    hooks.onQueries(rows.step(layer, m_config.layers, store), m_query);
    if (hooks.keepsQuery(rows.step(layer, m_config.layers, store))) {
        rows.keptQueries.resize(m_config.layers);
        rows.keptQueries[layer] = m_query;
    }
}

} // namespace engine
