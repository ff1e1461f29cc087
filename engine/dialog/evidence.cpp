#include "engine/dialog/evidence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace engine {
namespace {

constexpr auto kPage = static_cast<std::uint32_t>(kernels::kPageRows);

/// Entries of some pages of a list: all are full but perhaps its last one.
std::uint32_t entriesOf(std::span<const std::uint32_t> pages, const KvList& list)
{
    std::uint32_t count = 0;
    for (const std::uint32_t page : pages)
        count += std::min(kPage, list.length() - page * kPage);
    return count;
}

std::uint32_t entryInList(std::span<const std::uint32_t> pages, std::uint32_t entry)
{
    return pages[entry / kPage] * kPage + entry % kPage;
}

/// The smallest range that covers all of them; begins behind its end where all are empty.
kernels::EntryRange seenByAnyRow(std::span<const kernels::EntryRange> visible)
{
    kernels::EntryRange seen{std::numeric_limits<std::uint32_t>::max(), 0};
    for (const kernels::EntryRange& each : visible) {
        if (each.begin < each.end)
            seen = {std::min(seen.begin, each.begin), std::max(seen.end, each.end)};
    }
    return seen;
}

} // namespace

EvidenceHooks::EvidenceHooks(Hooks& method, std::uint32_t prefixRows, std::uint32_t documentTokens,
                             std::span<const std::uint32_t> tokenOfRow)
    : m_method(method)
    , m_prefixRows(prefixRows)
    , m_tokenOfRow(tokenOfRow)
    , m_mass(documentTokens)
{}

void EvidenceHooks::onRows(Job& job)
{
    m_method.onRows(job);
}

void EvidenceHooks::onProjections(const LayerStep& step, std::span<const float> normed,
                                  std::span<const float> query, std::span<const float> key,
                                  std::span<const float> value)
{
    m_method.onProjections(step, normed, query, key, value);
}

void EvidenceHooks::onQueries(const LayerStep& step, std::span<const float> query)
{
    m_method.onQueries(step, query);
}

void EvidenceHooks::onKeys(const LayerStep& step, Scorer& scorer)
{
    m_method.onKeys(step, scorer);
}

void EvidenceHooks::segments(const LayerStep& step, std::vector<Segment>& segments)
{
    m_method.segments(step, segments);
}

bool EvidenceHooks::keepsQuery(const LayerStep& step) const
{
    return m_method.keepsQuery(step);
}

bool EvidenceHooks::needsLse(const LayerStep& /*step*/) const
{
    return true;
}

const kernels::ScoreSpec* EvidenceHooks::passWithAttention(const LayerStep& step)
{
    return m_method.passWithAttention(step);
}

void EvidenceHooks::onAttention(const LayerStep& step, Scorer& scorer)
{
    m_method.onAttention(step, scorer);
    const std::size_t count = scorer.segments().size();
    for (std::size_t index = 0; index < count; ++index)
        addSegment(step, scorer, index);
}

std::optional<std::vector<std::uint32_t>> EvidenceHooks::onResidual(const LayerStep& step,
                                                                    std::span<const float> hidden)
{
    return m_method.onResidual(step, hidden);
}

bool EvidenceHooks::stopAfter(const LayerStep& step)
{
    return m_method.stopAfter(step);
}

void EvidenceHooks::addSegment(const LayerStep& step, Scorer& scorer, std::size_t index)
{
    const Segment& segment = scorer.segments()[index];
    const std::uint32_t heads = step.store->shape().kvHeads;
    const auto listOf = [&](std::uint32_t head) -> const KvList& {
        return step.store->list(
            segment.valueLayers.empty() ? step.layer : segment.valueLayers[head], head);
    };
    // Entries of the prefix are the first ones of every list: it is never dropped. Where the
    // segment consists of some pages, its entries are counted in these.
    const bool isAll = segment.pages.empty();
    const kernels::EntryRange seen = seenByAnyRow(segment.visible);
    const std::uint32_t begin = std::max(isAll ? m_prefixRows : 0, seen.begin);
    std::vector<std::uint32_t> ends(heads);
    for (std::uint32_t head = 0; head < heads; ++head)
        ends[head] = std::min(seen.end, isAll ? listOf(head).length()
                                              : entriesOf(segment.pages[head], listOf(head)));
    const std::uint32_t end = std::max(begin, *std::ranges::max_element(ends));
    if (end == begin)
        return;
    kernels::ScoreSpec spec;
    spec.scored = {begin, end};
    spec.normaliser = kernels::Normaliser::Full;
    spec.rows = kernels::RowReduction::Sum;
    spec.heads = kernels::HeadReduction::Sum;
    const std::vector<float> scores = scorer.runOn(index, spec);
    for (std::uint32_t head = 0; head < heads; ++head) {
        const KvList& list = listOf(head);
        for (std::uint32_t entry = begin; entry < ends[head]; ++entry) {
            const std::uint32_t row =
                list.row(isAll ? entry : entryInList(segment.pages[head], entry));
            if (row >= m_prefixRows && row - m_prefixRows < m_tokenOfRow.size())
                add(row - m_prefixRows, scores[head * (end - begin) + entry - begin]);
        }
    }
}

/// A damaged key can make a share that is no number; it must not spoil the order.
void EvidenceHooks::add(std::uint32_t place, float share)
{
    if (std::isfinite(share))
        m_mass[m_tokenOfRow[place]] += share;
}

std::vector<Evidence::Place> EvidenceHooks::places(std::size_t count) const
{
    const double total = std::accumulate(m_mass.begin(), m_mass.end(), 0.0);
    std::vector<std::uint32_t> order(m_mass.size());
    std::iota(order.begin(), order.end(), 0U);
    const std::size_t kept = std::min(count, order.size());
    const auto heavier = [&](std::uint32_t a, std::uint32_t b) {
        return m_mass[a] != m_mass[b] ? m_mass[a] > m_mass[b] : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                      heavier);
    std::vector<Evidence::Place> places;
    for (std::size_t i = 0; i < kept && m_mass[order[i]] > 0.0; ++i)
        places.push_back({order[i], static_cast<float>(m_mass[order[i]] / total)});
    return places;
}

} // namespace engine
