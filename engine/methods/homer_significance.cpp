#include "engine/methods/homer_significance.h"

#include <cmath>
#include <deque>
#include <limits>

namespace engine {

std::vector<float> HomerSignificance::calibrated(std::vector<float> logits, const HomerBias& bias,
                                                 std::uint32_t layer,
                                                 std::span<const std::int32_t> positions,
                                                 std::span<const float> earlier) const
{
    const std::int32_t last = positions.back();
    for (std::size_t row = 0; row < logits.size(); ++row) {
        if (std::isnan(logits[row])) {
            logits[row] = -std::numeric_limits<float>::infinity();
            continue;
        }
        logits[row] -= bias.at(layer, static_cast<std::size_t>(last - positions[row]));
        if (!earlier.empty())
            logits[row] += earlier[row];
    }
    return logits;
}

std::vector<float> HomerSignificance::pooled(std::vector<float> significance,
                                             std::span<const std::uint32_t> ids) const
{
    if (pool == 0)
        return significance;
    std::vector<float> best(significance.size());
    std::deque<std::size_t> candidates; // from the best to the latest, all within reach
    std::size_t next = 0;
    for (std::size_t row = 0; row < best.size(); ++row) {
        for (; next < best.size() && ids[next] - ids[row] <= pool; ++next) {
            while (!candidates.empty() && significance[candidates.back()] <= significance[next])
                candidates.pop_back();
            candidates.push_back(next);
        }
        while (ids[row] - ids[candidates.front()] > pool && candidates.front() < row)
            candidates.pop_front();
        best[row] = significance[candidates.front()];
    }
    return best;
}

} // namespace engine
