#pragma once

#include "engine/methods/competition.h"
#include "engine/methods/shared_keys.h"

#include <cstddef>
#include <span>
#include <vector>

namespace engine {

/// SnapKV among the distant tokens of PoD (structural.md 5.6): the last rows vote, first and recent
/// tokens stay, and the layer that owns a block's keys decides for the whole block, since its keys
/// and the others' values have to stand for the same tokens.
class DistantSelection
{
public:
    /// Throws BadInput when the budget has no place beside first and recent tokens, or for an even
    /// kernel.
    DistantSelection(const DocumentPlan& plan, const SharedKeys& keys);

    /// False when everything fits: then nothing is scored.
    bool selects() const { return m_competition.selects(); }
    /// Rows that vote: the last ones of the document.
    std::uint32_t votingRows() const { return m_votingRows; }

    /// In a job that ends with the voting rows, for each layer with keys of its own.
    void vote(const LayerStep& step, Scorer& scorer);
    std::vector<std::byte> state() const;
    /// Throws Damaged.
    void restore(std::span<const std::byte> state);

    /// Drops what was not chosen. All keys must still be there.
    void decide(const LayerGroups& groups, KvStore& store);

    std::vector<std::string> warnings() const { return m_competition.warnings(); }
    std::size_t bytes() const;

private:
    Competition m_competition;
    std::uint32_t m_votingRows;
    std::uint32_t m_kernel;
    std::vector<std::vector<float>> m_votes; // [layer], (kvHeads, eligible)
};

} // namespace engine
