#pragma once

#include "engine/methods/layer_grouping.h"
#include "engine/methods/method.h"

#include <vector>

namespace engine {

/// Compares how the layers attend, on the first tokens of a text: PoD's calibration (structural.md
/// 5.2).
class LayerProbe final : public Hooks
{
public:
    /// `tokens`: of prefix and document, fewer where they are shorter; the last `rows` of them are
    /// compared. `plan` must outlive the object.
    LayerProbe(const DocumentPlan& plan, std::uint32_t tokens, std::uint32_t rows);

    /// The job during which this object has to be among the hooks.
    Job job() const;
    std::uint32_t tokens() const { return m_tokens; }
    std::uint32_t rows() const { return m_rows; }

    void onProjections(const LayerStep& step, std::span<const float> normed,
                       std::span<const float> query, std::span<const float> key,
                       std::span<const float> value) override;

    const LayerSimilarity& similarity() const { return m_similarity; }
    LayerSimilarity& similarity() { return m_similarity; }

    /// Frees what only the job needs.
    void finish() { m_weights = {}; }
    std::size_t bytes() const;

private:
    std::vector<float> rotated(std::span<const float> vectors,
                               std::span<const std::int32_t> positions, std::size_t heads) const;

    const DocumentPlan& m_plan;
    std::uint32_t m_tokens;
    std::uint32_t m_rows;
    LayerSimilarity m_similarity;
    std::vector<AttentionWeights> m_weights; // [layer]
};

} // namespace engine
