#include "engine/text/bpe_merge_table.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace engine {
namespace {

std::uint64_t pairOf(std::int32_t left, std::int32_t right)
{
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32U |
           static_cast<std::uint32_t>(right);
}

} // namespace

MergeTable::MergeTable(std::size_t expected)
    : m_slots(std::bit_ceil(std::max<std::size_t>(16, 2 * expected)))
{}

void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge)
{
    if (2 * (m_taken + 1) > m_slots.size()) {
        grow();
    }
    Slot& slot = m_slots[slotOf(pairOf(left, right))];
    if (slot.merge.merged >= 0) {
        return;
    }
    slot = {pairOf(left, right), merge};
    ++m_taken;
    m_rankCount = std::max(m_rankCount, merge.rank + 1);
}

const Merge* MergeTable::find(std::int32_t left, std::int32_t right) const
{
    const Slot& slot = m_slots[slotOf(pairOf(left, right))];
    return slot.merge.merged < 0 ? nullptr : &slot.merge;
}

/// The slot of a pair, or the free one where it belongs.
std::size_t MergeTable::slotOf(std::uint64_t pair) const
{
    // Fibonacci hashing: the high bits of a product with 2^64 / golden ratio are well mixed.
    const std::uint64_t mixed = (pair ^ pair >> 29U) * 0x9e3779b97f4a7c15ULL;
    const std::size_t mask = m_slots.size() - 1;
    std::size_t slot = static_cast<std::size_t>(mixed >> 32U) & mask;
    while (m_slots[slot].merge.merged >= 0 && m_slots[slot].pair != pair) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

void MergeTable::grow()
{
    std::vector<Slot> old = std::exchange(m_slots, std::vector<Slot>(2 * m_slots.size()));
    for (const Slot& slot : old) {
        if (slot.merge.merged >= 0) {
            m_slots[slotOf(slot.pair)] = slot;
        }
    }
}

} // namespace engine
