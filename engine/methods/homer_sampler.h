#pragma once

#include "engine/methods/homer_bias.h"
#include "engine/methods/homer_schedule.h"
#include "engine/methods/method.h"

#include <cstdint>
#include <vector>

namespace engine {

/// The largest raw logit of all heads from the last row of a job towards each of its rows.
std::vector<float> lastRowScores(const LayerStep& step, Scorer& scorer);

/// Measures HOMER's bias table (structural.md 3.3) on pieces of the document, evenly spread and as
/// long as a chunk, each read once through all layers and forgotten.
class HomerSampler
{
public:
    /// `document` outlives the sampler.
    HomerSampler(const DocumentPlan& document, std::uint32_t pieceRows);

    /// At most `pieces` of them, and none when no node drops anything.
    void plan(const HomerSchedule& schedule, std::uint32_t pieces);

    /// Nothing is measured: there is a table.
    void skip() { m_begins.clear(); }
    std::uint32_t pieceRows() const { return m_rows; }

    bool finished() const { return m_done == m_begins.size(); }
    Job job() const;
    /// The scores of each layer of a job, in order.
    void collect(const LayerStep& step, const std::vector<float>& scores);
    const std::vector<float>& collected() const { return m_scores; }
    void restore(std::vector<float> collected) { m_scores = std::move(collected); }
    /// Adds the job's scores to the table.
    void endSample(HomerBias& bias);

    double totalCost() const { return costOf(m_begins.size()); }
    double doneCost() const { return costOf(m_done); }

private:
    double costOf(std::size_t pieces) const
    {
        return static_cast<double>(pieces) * m_rows * m_document.layers;
    }

    const DocumentPlan& m_document;
    std::uint32_t m_rows;                // of a piece
    std::vector<std::uint32_t> m_begins; // of the pieces, in the document
    std::size_t m_done = 0;
    std::vector<float> m_scores; // (layers, rows), by distance from 0 upwards
};

} // namespace engine
