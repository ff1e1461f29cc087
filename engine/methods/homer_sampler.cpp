#include "engine/methods/homer_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {

std::vector<float> lastRowScores(const LayerStep& step, Scorer& scorer)
{
    const auto rows = static_cast<std::uint32_t>(step.rows.size());
    const std::uint32_t end = step.store->list(step.layer, 0).length();
    kernels::ScoreSpec spec;
    spec.scored = {end - rows, end};
    spec.normaliser = kernels::Normaliser::None;
    spec.rows = kernels::RowReduction::Last;
    spec.heads = kernels::HeadReduction::Max;
    std::vector<float> scores = scorer.run(spec);
    for (std::size_t i = rows; i < scores.size(); ++i) {
        float& best = scores[i % rows];
        best = std::isnan(best) || scores[i] > best ? scores[i] : best;
    }
    scores.resize(rows);
    return scores;
}

HomerSampler::HomerSampler(const DocumentPlan& document, std::uint32_t pieceRows)
    : m_document(document)
    , m_rows(std::min(pieceRows, document.documentRows()))
{}

void HomerSampler::plan(const HomerSchedule& schedule, std::uint32_t pieces)
{
    const bool dropsAny = std::ranges::any_of(
        schedule.nodes, [](const HomerNode& node) { return node.kept < node.rows; });
    if (!dropsAny)
        return;
    const std::uint32_t count = std::min(pieces, m_document.documentRows() / m_rows);
    for (std::uint32_t i = 0; i < count; ++i)
        m_begins.push_back(static_cast<std::uint32_t>(
            std::uint64_t{m_document.documentRows() - m_rows} * i / std::max(count - 1, 1U)));
}

Job HomerSampler::job() const
{
    Job job;
    job.phase = "Measuring";
    const auto begin = m_document.document.begin() + m_begins[m_done];
    job.tokens.assign(begin, begin + m_rows);
    job.positions.resize(m_rows);
    std::iota(job.positions.begin(), job.positions.end(), 0);
    job.keepsKv = false;
    job.documentTokens = m_document.documentRows() / m_begins.size();
    return job;
}

void HomerSampler::collect(const LayerStep& step, const std::vector<float>& scores)
{
    if (step.layer == 0)
        m_scores.clear(); // an earlier try may have been stopped
    m_scores.insert(m_scores.end(), scores.rbegin(), scores.rend());
}

void HomerSampler::endSample(HomerBias& bias)
{
    bias.length = m_rows;
    bias.values.resize(m_scores.size());
    for (std::size_t i = 0; i < m_scores.size(); ++i) {
        if (std::isfinite(m_scores[i]))
            bias.values[i] += m_scores[i] / static_cast<float>(m_begins.size());
    }
    m_scores = {};
    ++m_done;
}

} // namespace engine
