#include "engine/methods/layer_probe.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {

LayerProbe::LayerProbe(const DocumentPlan& plan, std::uint32_t tokens, std::uint32_t rows)
    : m_plan(plan)
    , m_tokens(std::min(tokens, plan.totalRows()))
    , m_rows(std::min(rows, m_tokens))
    , m_similarity(plan.layers, plan.kvHeads)
{}

Job LayerProbe::job() const
{
    Job job;
    job.role = Role::Probe;
    job.phase = "Comparing layers";
    job.keepsKv = false;
    job.tokens = m_plan.prefix;
    job.tokens.insert(job.tokens.end(), m_plan.document.begin(), m_plan.document.end());
    job.tokens.resize(m_tokens);
    job.positions.resize(m_tokens);
    std::iota(job.positions.begin(), job.positions.end(), 0);
    job.documentTokens = m_tokens - std::min(m_tokens, m_plan.prefixRows());
    return job;
}

void LayerProbe::onProjections(const LayerStep& step, std::span<const float> /*normed*/,
                               std::span<const float> query, std::span<const float> key,
                               std::span<const float> /*value*/)
{
    const std::size_t count = step.rows.size();
    const std::size_t heads = query.size() / count / m_plan.headDim;
    const float scale =
        m_plan.ropeMagnitude * m_plan.ropeMagnitude / std::sqrt(static_cast<float>(m_plan.headDim));
    m_weights.push_back(lastRowsWeights(rotated(query, step.positions, heads),
                                        rotated(key, step.positions, m_plan.kvHeads), count, heads,
                                        m_plan.kvHeads, m_rows, scale));
    for (std::uint32_t lower = 0; lower < step.layer; ++lower)
        m_similarity.compare(lower, m_weights[lower], step.layer, m_weights.back());
}

std::size_t LayerProbe::bytes() const
{
    std::size_t total = 0;
    for (const AttentionWeights& layer : m_weights)
        total += layer.weights.capacity() * sizeof(float);
    return total;
}

/// (rows, heads, headDim) turned to the rows' positions.
std::vector<float> LayerProbe::rotated(std::span<const float> vectors,
                                       std::span<const std::int32_t> positions,
                                       std::size_t heads) const
{
    std::vector<float> turned(vectors.begin(), vectors.end());
    std::vector<std::int32_t> perHead;
    for (const std::int32_t position : positions)
        perHead.insert(perHead.end(), heads, position);
    m_plan.rotate(turned, perHead);
    return turned;
}

} // namespace engine
