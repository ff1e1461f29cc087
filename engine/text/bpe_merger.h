#pragma once

#include "engine/text/bpe_merge_table.h"

#include <cstdint>
#include <vector>

namespace engine {

/// Positions by rank: the lowest rank first, within a rank the lowest position. Positions mostly
/// come in ascending order, so a rank keeps them in a list and only the late ones in a heap:
/// constant time each even for a word of millions of equal characters.
class RankQueue
{
public:
    struct Entry
    {
        std::uint32_t rank = 0;
        std::uint32_t position = 0;
    };

    explicit RankQueue(std::uint32_t rankCount);

    bool empty() const { return m_ranks.empty(); }
    void push(Entry entry);
    Entry pop();

private:
    struct Bucket
    {
        std::vector<std::uint32_t> ascending;
        std::size_t next = 0;
        std::vector<std::uint32_t> late; // a min-heap
    };

    Bucket& bucketOf(std::uint32_t rank);
    void release(std::uint32_t rank);

    std::vector<std::uint32_t> m_bucketOfRank;
    std::vector<Bucket> m_buckets;
    std::vector<std::uint32_t> m_freeBuckets;
    std::vector<std::uint32_t> m_ranks; // a min-heap of the ranks that have a bucket
};

/// One piece of a word while it is being merged.
struct MergeSymbol
{
    std::int32_t id = -1;    // negative: merges with nothing
    std::uint32_t begin = 0; // first byte in the text; it ends where the next symbol begins
    std::uint32_t previous = 0;
    std::uint32_t next = 0;
    std::uint32_t rank = 0; // of the merge with the next symbol
};

/// Merges the symbols of a word in the order of their ranks (Sennrich et al., 2016, section 3.2),
/// with a queue instead of a search for each step. Keeps its memory between words; one object per
/// thread.
class BpeMerger
{
public:
    explicit BpeMerger(const MergeTable& merges);

    /// Only `id` and `begin` need to be set; on return the word has its final symbols.
    void merge(std::vector<MergeSymbol>& word);

private:
    void link(std::vector<MergeSymbol>& word);
    void updateRank(std::vector<MergeSymbol>& word, std::uint32_t position);
    void mergeWithNext(std::vector<MergeSymbol>& word, std::uint32_t position);

    const MergeTable& m_merges;
    RankQueue m_queue;
};

} // namespace engine
