#pragma once

#include "engine/engine.h"
#include "engine/run/hooks.h"

#include <span>
#include <vector>

namespace engine {

/// Adds up where rows look in the document: attention after the softmax, summed over rows, heads
/// and layers. The rows run through the hooks of the method at work, which sees all of them.
class EvidenceHooks final : public Hooks
{
public:
    /// `tokenOfRow` has the document token of each row behind the prefix, up to the last such row.
    /// All outlive the object.
    EvidenceHooks(Hooks& method, std::uint32_t prefixRows, std::uint32_t documentTokens,
                  std::span<const std::uint32_t> tokenOfRow);

    void onRows(Job& job) override;
    void onProjections(const LayerStep& step, std::span<const float> normed,
                       std::span<const float> query, std::span<const float> key,
                       std::span<const float> value) override;
    void onQueries(const LayerStep& step, std::span<const float> query) override;
    void onKeys(const LayerStep& step, Scorer& scorer) override;
    void segments(const LayerStep& step, std::vector<Segment>& segments) override;
    bool keepsQuery(const LayerStep& step) const override;
    bool needsLse(const LayerStep& step) const override;
    const kernels::ScoreSpec* passWithAttention(const LayerStep& step) override;
    void onAttention(const LayerStep& step, Scorer& scorer) override;
    std::optional<std::vector<std::uint32_t>> onResidual(const LayerStep& step,
                                                         std::span<const float> hidden) override;
    bool stopAfter(const LayerStep& step) override;

    /// The heaviest document tokens, heaviest first, as shares of all attention on the document.
    std::vector<Evidence::Place> places(std::size_t count) const;

private:
    void add(std::uint32_t place, float share);
    void addSegment(const LayerStep& step, Scorer& scorer, std::size_t index);

    Hooks& m_method;
    std::uint32_t m_prefixRows;
    std::span<const std::uint32_t> m_tokenOfRow;
    std::vector<double> m_mass; // per document token
};

} // namespace engine
