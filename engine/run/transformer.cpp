#include "engine/run/transformer.h"

#include "engine/error.h"
#include "engine/run/transformer_rows.h"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace engine {
namespace {

/// Rows whose gate and up projections are held at once: bounds the widest buffers of a long job.
constexpr std::size_t kFfnRows = 512;

template <typename Value>
std::vector<Value> gather(const std::vector<Value>& from, std::span<const std::uint32_t> rows,
                          std::size_t width)
{
    std::vector<Value> out(rows.size() * width);
    for (std::size_t i = 0; i < rows.size(); ++i)
        std::copy_n(&from[rows[i] * width], width, &out[i * width]);
    return out;
}

} // namespace

Transformer::Transformer(const ModelConfig& config, const Weights& weights, Backend& backend)
    : m_config(config)
    , m_weights(weights)
    , m_backend(backend)
    , m_rope(makeRopeTable(config.rope))
{}

JobResult Transformer::run(Job job, KvStore& store, std::stop_token stop)
{
    Hooks none;
    return run(std::move(job), store, none, std::move(stop));
}

JobResult Transformer::run(Job job, KvStore& store, Hooks& hooks, std::stop_token stop)
{
    const KvStore::Mark before = store.mark();
    hooks.onRows(job);
    const bool keepsKv = job.keepsKv;
    try {
        JobResult result = runLayers(std::move(job), store, hooks, before, stop);
        if (!keepsKv)
            store.truncate(before);
        return result;
    } catch (...) {
        // Rows that stand in the lists of some layers only would falsify every later job.
        store.truncate(before);
        throw;
    }
}

JobResult Transformer::runLayers(Job job, KvStore& store, Hooks& hooks, const KvStore::Mark& before,
                                 const std::stop_token& stop)
{
    assert(job.layerBegin != 0 || job.tokens.size() == job.positions.size());
    Rows rows;
    rows.rope = store.rope() ? store.rope().get() : &m_rope;
    rows.positions = job.positions;
    rows.orders.resize(job.positions.size());
    const std::uint32_t firstRow = job.roles.empty() ? store.appendRows(job.positions, job.role)
                                                     : store.appendRows(job.positions, job.roles);
    m_documentRowsRun += static_cast<std::uint64_t>(
        std::count(store.roles().begin() + firstRow, store.roles().end(), Role::Document));
    std::iota(rows.orders.begin(), rows.orders.end(), firstRow);
    rows.indices.resize(rows.orders.size());
    std::iota(rows.indices.begin(), rows.indices.end(), 0U);
    if (job.layerBegin == 0) {
        embed(rows.hidden, job);
    } else {
        rows.hidden = std::move(job.hidden);
    }
    const std::uint32_t end = std::min(job.layerEnd, m_config.layers);
    const bool leavesEachLayer = !job.keepsKv && job.leavesEachLayer;
    rows.job = std::move(job);

    bool stopped = false;
    for (std::uint32_t layer = rows.job.layerBegin; layer < end && !stopped; ++layer) {
        if (stop.stop_requested())
            throw Error(ErrorCode::Cancelled, "The work was stopped on request.");
        runLayer(rows, layer, store, hooks);
        if (leavesEachLayer)
            store.truncateLayer(layer, before);
        stopped = hooks.stopAfter(rows.step(layer, m_config.layers, store));
    }

    JobResult result;
    const bool finished = !stopped && end == m_config.layers;
    if (finished && rows.job.logits != LogitRows::None)
        result.logits = logitsOf(rows.hidden);
    if (!finished && rows.job.wantsHidden)
        result.hidden = std::move(rows.hidden);
    result.survivors = std::move(rows.indices);
    return result;
}

void Transformer::runLayer(Rows& rows, std::uint32_t layer, KvStore& store, Hooks& hooks)
{
    const LayerWeights& weights = m_weights.layers[layer];
    const bool last = layer + 1 == m_config.layers;
    project(rows, layer, store, hooks);
    store.views(layer, m_lists);
    const LayerStep step = rows.step(layer, m_config.layers, store);
    chooseSegments(rows, step, hooks);

    // Nobody reads the last layer's output when no logits are wanted: only its keys and values
    // matter. When only the last row's are wanted, the other rows are not needed any more.
    const bool unread = last ? rows.job.logits == LogitRows::None
                             : layer + 1 == rows.job.layerEnd && !rows.job.wantsHidden;
    const kernels::ScoreSpec* pass = hooks.passWithAttention(step);
    const bool attendsFirst = hooks.needsLse(step) || (pass != nullptr && !unread);
    m_scores.clear();
    if (attendsFirst)
        attend(rows, layer, store, pass);
    score(rows, step, pass, attendsFirst, hooks);
    if (unread)
        return;
    if (last && rows.job.logits == LogitRows::Last)
        keepLogitRows(rows, attendsFirst);
    if (!attendsFirst)
        attend(rows, layer, store, nullptr);

    m_projected.resize(rows.count() * m_config.width);
    multiply(m_projected, m_attended, rows, layer, kOutput);
    m_backend.add(rows.hidden, m_projected);
    if (auto kept = hooks.onResidual(rows.step(layer, m_config.layers, store), rows.hidden))
        keepRows(rows, *kept);
    feedForward(rows, weights);
}

/// Drops all rows but those whose logits are wanted, with their queries and masks, or with their
/// results once they attended.
void Transformer::keepLogitRows(Rows& rows, bool attended)
{
    const std::size_t count = rows.count();
    std::vector<std::uint32_t> kept;
    for (const std::uint32_t wanted : rows.job.logitRows) {
        const auto found = std::ranges::lower_bound(rows.indices, wanted);
        assert(found != rows.indices.end() && *found == wanted);
        kept.push_back(static_cast<std::uint32_t>(found - rows.indices.begin()));
    }
    if (kept.empty())
        kept.push_back(static_cast<std::uint32_t>(count - 1));
    if (kept.size() == count)
        return;
    const auto keepOf = [&](auto& values) { values = gather(values, kept, values.size() / count); };
    keepOf(attended ? m_attended : m_query);
    for (Segment& segment : rows.segments) {
        keepOf(segment.visible);
        keepOf(segment.queryShift);
        assert(segment.patterns.empty() || kept.size() == 1);
        for (kernels::SparsePattern& pattern : segment.patterns)
            pattern.pages = {pattern.pages[kept.front() / kernels::kPatternRows]};
    }
    keepRows(rows, kept);
}

void Transformer::feedForward(Rows& rows, const LayerWeights& weights)
{
    const std::size_t width = m_config.width;
    for (std::size_t begin = 0; begin < rows.count(); begin += kFfnRows) {
        const std::size_t count = std::min(kFfnRows, rows.count() - begin);
        const std::span<float> hidden =
            std::span(rows.hidden).subspan(begin * width, count * width);
        m_normed.resize(count * width);
        m_gate.resize(count * m_config.ffnWidth);
        m_up.resize(m_gate.size());
        m_projected.resize(count * width);
        m_backend.rmsNorm(m_normed, hidden, weights.ffnNorm, m_config.normEpsilon);
        m_backend.matmul(m_gate, m_normed, weights.gate, count);
        m_backend.matmul(m_up, m_normed, weights.up, count);
        m_backend.siluMul(m_gate, m_up);
        m_backend.matmul(m_projected, m_gate, weights.down, count);
        m_backend.add(hidden, m_projected);
    }
}

void Transformer::keepRows(Rows& rows, std::span<const std::uint32_t> ascending)
{
    rows.hidden = gather(rows.hidden, ascending, m_config.width);
    for (std::size_t i = 0; i < ascending.size(); ++i) {
        rows.orders[i] = rows.orders[ascending[i]];
        rows.positions[i] = rows.positions[ascending[i]];
        rows.indices[i] = rows.indices[ascending[i]];
    }
    const std::size_t queryFloats = std::size_t{m_config.heads} * m_config.headDim;
    for (std::vector<float>& query : rows.keptQueries) {
        if (!query.empty())
            query = gather(query, ascending, queryFloats);
    }
    for (std::vector<float>& lse : rows.keptLse) {
        if (!lse.empty())
            lse = gather(lse, ascending, m_config.heads);
    }
    rows.orders.resize(ascending.size());
    rows.positions.resize(ascending.size());
    rows.indices.resize(ascending.size());
}

std::vector<float> Transformer::logitsOf(std::span<const float> hidden)
{
    const std::size_t count = hidden.size() / m_config.width;
    m_normed.resize(hidden.size());
    m_backend.rmsNorm(m_normed, hidden, m_weights.outputNorm, m_config.normEpsilon);
    std::vector<float> logits(count * m_config.vocabularySize);
    m_backend.matmul(logits, m_normed, m_weights.output, count);
    return logits;
}

std::size_t Transformer::bufferBytes() const
{
    std::size_t floats = 0;
    for (const auto* each :
         {&m_normed, &m_query, &m_key, &m_value, &m_attended, &m_lse, &m_partOut, &m_partLse,
          &m_partQuery, &m_gate, &m_up, &m_projected, &m_groupIn, &m_groupOut, &m_scores})
        floats += each->capacity();
    return floats * sizeof(float) + m_backend.scratchBytes();
}

} // namespace engine
