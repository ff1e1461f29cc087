#include "engine/text/bpe_merger.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace engine {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

} // namespace

RankQueue::RankQueue(std::uint32_t rankCount)
    : m_bucketOfRank(rankCount, kNone)
{}

void RankQueue::push(Entry entry)
{
    Bucket& bucket = bucketOf(entry.rank);
    if (bucket.ascending.empty() || bucket.ascending.back() <= entry.position) {
        bucket.ascending.push_back(entry.position);
    } else {
        bucket.late.push_back(entry.position);
        std::ranges::push_heap(bucket.late, std::greater());
    }
}

RankQueue::Entry RankQueue::pop()
{
    const std::uint32_t rank = m_ranks.front();
    Bucket& bucket = m_buckets[m_bucketOfRank[rank]];
    const bool listed = bucket.next < bucket.ascending.size();
    std::uint32_t position = 0;
    if (listed && (bucket.late.empty() || bucket.ascending[bucket.next] <= bucket.late.front())) {
        position = bucket.ascending[bucket.next++];
    } else {
        std::ranges::pop_heap(bucket.late, std::greater());
        position = bucket.late.back();
        bucket.late.pop_back();
    }
    if (bucket.next == bucket.ascending.size() && bucket.late.empty()) {
        release(rank);
    }
    return {rank, position};
}

RankQueue::Bucket& RankQueue::bucketOf(std::uint32_t rank)
{
    std::uint32_t& index = m_bucketOfRank[rank];
    if (index == kNone) {
        if (m_freeBuckets.empty()) {
            m_freeBuckets.push_back(static_cast<std::uint32_t>(m_buckets.size()));
            m_buckets.emplace_back();
        }
        index = m_freeBuckets.back();
        m_freeBuckets.pop_back();
        m_ranks.push_back(rank);
        std::ranges::push_heap(m_ranks, std::greater());
    }
    return m_buckets[index];
}

/// Gives back the bucket of the lowest rank.
void RankQueue::release(std::uint32_t rank)
{
    Bucket& bucket = m_buckets[m_bucketOfRank[rank]];
    bucket.ascending.clear();
    bucket.next = 0;
    m_freeBuckets.push_back(m_bucketOfRank[rank]);
    m_bucketOfRank[rank] = kNone;
    std::ranges::pop_heap(m_ranks, std::greater());
    m_ranks.pop_back();
}

BpeMerger::BpeMerger(const MergeTable& merges)
    : m_merges(merges)
    , m_queue(merges.rankCount())
{}

void BpeMerger::merge(std::vector<MergeSymbol>& word)
{
    if (word.size() < 2) {
        return;
    }
    link(word);
    while (!m_queue.empty()) {
        const RankQueue::Entry entry = m_queue.pop();
        if (word[entry.position].rank == entry.rank) {
            mergeWithNext(word, entry.position);
        } // otherwise one of the two has merged with another symbol in the meantime
    }
    std::size_t kept = 0;
    for (std::uint32_t i = 0; i < word.size(); i = word[i].next) {
        word[kept++] = word[i];
    }
    word.resize(kept);
}

void BpeMerger::link(std::vector<MergeSymbol>& word)
{
    for (std::uint32_t i = 0; i < word.size(); ++i) {
        word[i].previous = i == 0 ? kNone : i - 1;
        word[i].next = i + 1 == word.size() ? kNone : i + 1;
    }
    for (std::uint32_t i = 0; i < word.size(); ++i) {
        updateRank(word, i);
    }
}

void BpeMerger::updateRank(std::vector<MergeSymbol>& word, std::uint32_t position)
{
    MergeSymbol& symbol = word[position];
    symbol.rank = kNone;
    if (symbol.next == kNone || symbol.id < 0 || word[symbol.next].id < 0) {
        return;
    }
    if (const Merge* const merge = m_merges.find(symbol.id, word[symbol.next].id)) {
        symbol.rank = merge->rank;
        m_queue.push({merge->rank, position});
    }
}

void BpeMerger::mergeWithNext(std::vector<MergeSymbol>& word, std::uint32_t position)
{
    MergeSymbol& left = word[position];
    MergeSymbol& right = word[left.next];
    left.id = m_merges.find(left.id, right.id)->merged;
    left.next = right.next;
    right.rank = kNone;
    if (left.next != kNone) {
        word[left.next].previous = position;
    }
    updateRank(word, position);
    if (left.previous != kNone) {
        updateRank(word, left.previous);
    }
}

} // namespace engine
