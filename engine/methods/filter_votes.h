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

/// How many tokens a question is answered from, and how they are chosen.
struct FilterQuota
{
    std::uint32_t select = 0; // prefix and question among them
    std::uint32_t kernel = 5; // neighbours pooled together
};

/// Throws BadInput when the question and the `prefix` rows before the document, which always stay
/// (selection.md 8, trap 4), leave no place for the document.
void checkFilterQuota(std::size_t prefix, std::size_t question, const FilterQuota& quota);

/// The rows before a question of `question` rows that it is answered from, ascending: the first
/// `prefix` ones and the best of the others, so that there are quota.select with the question's
/// own; all of them where there are not more. votes: of all rows, the question's at the end. Throws
/// as checkFilterQuota().
std::vector<std::uint32_t> rowsForQuestion(std::span<const float> votes, std::size_t prefix,
                                           std::size_t question, const FilterQuota& quota);

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
