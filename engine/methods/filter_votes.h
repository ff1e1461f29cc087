#pragma once

#include "engine/run/hooks.h"

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// GemFilter's votes (Shi et al. 2024, arXiv 2409.17422, algorithm 1; selection.md 3.1): the dot
/// products of the last row's queries with the keys of one layer, summed over all query heads,
/// neither scaled nor put through a softmax. One for each entry of the layer's lists.
std::vector<float> filterVotes(const LayerStep& step, Scorer& scorer);

/// The best `places` of the entries in `eligible`, ascending: by votes averaged over `kernel`
/// neighbours, with zeros beyond the ends of `votes`, then by the votes themselves, then the
/// earlier (selection.md 1.4, 1.5). NaN is the lowest.
std::vector<std::uint32_t> filterTokens(std::span<const float> votes,
                                        const kernels::EntryRange& eligible, std::size_t places,
                                        std::uint32_t kernel);

/// Collects the votes of one layer; the other hooks are plain.
class FilterHooks final : public Hooks
{
public:
    explicit FilterHooks(std::uint32_t layer)
        : m_layer(layer)
    {}

    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        if (step.layer == m_layer)
            m_votes = filterVotes(step, scorer);
    }
    /// Of the last job's last row.
    const std::vector<float>& votes() const { return m_votes; }

private:
    std::uint32_t m_layer;
    std::vector<float> m_votes;
};

} // namespace engine
