#pragma once

#include "engine/methods/answering.h"

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// Entries that stay, ascending: all outside `competing`, and of those in it the best `places` by
/// score. NaN is the lowest; of equal ones the earlier stays (selection.md 1.4).
std::vector<std::uint32_t> keptEntries(std::span<const float> scores,
                                       const kernels::EntryRange& competing, std::size_t places);

/// Eviction that goes on while questions are answered (H2O, selection.md 3.4; TOVA, 3.15): every
/// list keeps the length that it had when the document was prepared. After each forward the worst
/// entries are dropped for good from the conversation's copy; the prefix and the most recent
/// entries stay. Queries keep their true positions.
class EvictionAnswer final : public AnswerMethod
{
public:
    enum class Rule
    {
        HeavyHitters, // the sum of the attention of all rows so far, over the heads of a group
        LastRow       // the attention of the last row, averaged over all heads of the layer
    };

    struct State
    {
        std::uint32_t recent = 0;               // entries that always stay, at the end
        std::vector<std::vector<float>> scores; // [layer * kvHeads + head], one for each entry

        std::vector<std::byte> write() const;
        /// Throws Damaged.
        static State read(std::span<const std::byte> bytes);
    };

    /// `prefixRows` entries at the beginning of every list always stay. LastRow needs no scores.
    EvictionAnswer(Backend& backend, Rule rule, State state, std::uint32_t prefixRows,
                   const KvStore& prepared);

    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<EvictionAnswer>(*this);
    }
    std::size_t rowsPerJob(Role role) const override;
    bool needsLse(const LayerStep& /*step*/) const override { return true; }
    void onAttention(const LayerStep& step, Scorer& scorer) override;
    void afterJob(const Job& job, KvStore& store) override;

private:
    std::vector<float>& scoresOf(std::uint32_t layer, std::uint32_t head);

    Backend* m_backend;
    Rule m_rule;
    std::uint32_t m_recent;
    std::uint32_t m_prefixRows;
    std::uint32_t m_heads; // KV heads
    std::vector<std::vector<float>> m_scores;
    std::vector<std::uint32_t> m_lengths; // of the lists as prepared
    std::vector<bool> m_alike;            // [layer]: all heads hold the same rows
    bool m_unpacked = false;
};

} // namespace engine
