#pragma once

#include "engine/engine.h"
#include "engine/run/hooks.h"

#include <span>
#include <vector>

namespace engine {

/// Adds up where rows look in the document: attention after the softmax, summed over rows, heads
/// and layers.
class EvidenceHooks final : public Hooks
{
public:
    /// `tokenOfRow` as in Context; it must outlive the object.
    EvidenceHooks(std::uint32_t prefixRows, std::uint32_t documentTokens,
                  std::span<const std::uint32_t> tokenOfRow = {});

    bool needsLse(const LayerStep& step) const override;
    void onAttention(const LayerStep& step, Scorer& scorer) override;

    /// The heaviest document tokens, heaviest first, as shares of all attention on the document.
    std::vector<Evidence::Place> places(std::size_t count) const;

private:
    std::uint32_t m_prefixRows;
    std::span<const std::uint32_t> m_tokenOfRow;
    std::vector<double> m_mass; // per document token
};

/// Byte ranges of the sentences of a text: split behind . ! ? and at line ends.
std::vector<ByteRange> splitSentences(std::string_view text);

} // namespace engine
