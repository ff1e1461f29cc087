#pragma once

#include <cstdint>
#include <vector>

namespace engine {

/// What two neighbouring symbols become, and how early: the lowest rank goes first.
struct Merge
{
    std::uint32_t rank = 0;
    std::int32_t merged = -1;
};

/// Merges by their pair of symbols: a hash table with open addressing, read only once it is filled.
class MergeTable
{
public:
    explicit MergeTable(std::size_t expected);

    /// The first merge added for a pair stays.
    void add(std::int32_t left, std::int32_t right, Merge merge);

    /// Null if the pair does not merge.
    const Merge* find(std::int32_t left, std::int32_t right) const;

    /// One more than the highest rank.
    std::uint32_t rankCount() const { return m_rankCount; }

private:
    struct Slot
    {
        std::uint64_t pair = 0;
        Merge merge; // merged < 0: the slot is free
    };

    std::size_t slotOf(std::uint64_t pair) const;
    void grow();

    std::vector<Slot> m_slots; // a power of two, at most half of them taken
    std::size_t m_taken = 0;
    std::uint32_t m_rankCount = 0;
};

} // namespace engine
