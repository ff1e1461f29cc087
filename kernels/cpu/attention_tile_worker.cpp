#include "kernels/cpu/attention_tile_worker.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace kernels::cpu {
namespace {

/// Rows that share the conversion of a page; more would no longer fit beside the page in the
/// second-level cache.
constexpr std::size_t kTileRows = 96;

/// The smallest range that covers two; an empty one covers nothing.
EntryRange cover(EntryRange a, EntryRange b)
{
    if (b.begin >= b.end)
        return a;
    if (a.begin >= a.end)
        return b;
    return {.begin = std::min(a.begin, b.begin), .end = std::max(a.end, b.end)};
}

EntryRange seenByTile(const AttentionCall& call, const TilePlan& plan, std::size_t kvHead,
                      std::size_t tile)
{
    EntryRange seen;
    const std::size_t first = tile * plan.positions;
    const std::size_t end = std::min(first + plan.positions, call.shape.rows);
    for (std::size_t row = first; row < end; ++row)
        seen = cover(seen, call.visible[row * call.shape.kvHeads + kvHead]);
    return seen;
}

} // namespace

TilePlan planTiles(const AttentionShape& shape)
{
    TilePlan plan;
    plan.group = shape.heads / shape.kvHeads;
    const std::size_t unit = kBlockRows / std::gcd(plan.group, kBlockRows);
    plan.positions = unit * std::max<std::size_t>(1, kTileRows / (unit * plan.group));
    plan.positions = std::min(plan.positions, shape.rows);
    plan.tiles = (shape.rows + plan.positions - 1) / plan.positions;
    return plan;
}

/// All tiles, the later ones first: they see more entries, and the last pieces should be small.
std::vector<TileItem> listTiles(const AttentionCall& call, const TilePlan& plan)
{
    std::vector<TileItem> items;
    items.reserve(plan.tiles * call.shape.kvHeads);
    for (std::size_t tile = plan.tiles; tile-- > 0;)
        for (std::size_t kvHead = 0; kvHead < call.shape.kvHeads; ++kvHead) {
            const EntryRange seen = seenByTile(call, plan, kvHead, tile);
            items.push_back({.kvHead = kvHead,
                             .tile = tile,
                             .firstSplit = seen.begin / kSplitEntries,
                             .endSplit = (seen.end + kSplitEntries - 1) / kSplitEntries});
        }
    return items;
}

TileWorker::TileWorker(const AttentionCall& call, const TilePlan& plan)
    : m_call(call)
    , m_plan(plan)
    , m_packed(std::make_unique_for_overwrite<float[]>(plan.rows() * call.shape.headDim))
    , m_states(
          std::make_unique_for_overwrite<float[]>(2 * stateFloats(plan.rows(), call.shape.headDim)))
    , m_page(std::make_unique_for_overwrite<float[]>(kPageScratchFloats))
    , m_ranges(plan.rows())
    , m_queries(plan.rows())
{}

void TileWorker::load(std::size_t kvHead, std::size_t tile)
{
    const AttentionShape& shape = m_call.shape;
    m_kvHead = kvHead;
    m_firstPosition = tile * m_plan.positions;
    const std::size_t positions = std::min(m_plan.positions, shape.rows - m_firstPosition);
    m_rows = positions * m_plan.group;
    m_seen = seenByTile(m_call, m_plan, kvHead, tile);
    for (std::size_t row = 0; row < m_rows; ++row) {
        const std::size_t position = m_firstPosition + row / m_plan.group;
        const std::size_t head = kvHead * m_plan.group + row % m_plan.group;
        m_ranges[row] = m_call.visible[position * shape.kvHeads + kvHead];
        m_queries[row] = m_call.q.data() + (position * shape.heads + head) * shape.headDim;
    }
    packQueriesAvx2(m_packed.get(), m_queries.data(), m_rows, shape.headDim, shape.scale * kLog2E);
}

void TileWorker::attendSplit(const SoftmaxState& state, std::size_t split,
                             const CollectedLogits* collected)
{
    const QueryTile tile{.packed = m_packed.get(),
                         .ranges = m_ranges.data(),
                         .rows = m_rows,
                         .headDim = m_call.shape.headDim};
    clearStateAvx2(state, m_rows, tile.headDim);
    const std::size_t begin = std::max<std::size_t>(m_seen.begin, split * kSplitEntries);
    const std::size_t end = std::min<std::size_t>(m_seen.end, (split + 1) * kSplitEntries);
    for (std::size_t page = begin / kPageRows; page * kPageRows < end; ++page)
        m_kernels.attendPage(state, tile, m_call.lists[m_kvHead].pages[page], page * kPageRows,
                             m_page.get(), collected);
}

void TileWorker::attendAll(std::size_t first, std::size_t end, const CollectedLogits* collected)
{
    const std::size_t headDim = m_call.shape.headDim;
    const SoftmaxState total = totalState();
    const SoftmaxState part = stateAt(m_states.get() + stateFloats(m_rows, headDim), m_rows);
    clearStateAvx2(total, m_rows, headDim);
    for (std::size_t split = first; split < end; ++split) {
        attendSplit(part, split, collected);
        foldStateAvx2(total, part, m_rows, headDim);
    }
    writeResults(total);
}

void TileWorker::writeResults(const SoftmaxState& total) const
{
    const AttentionShape& shape = m_call.shape;
    for (std::size_t row = 0; row < m_rows; ++row) {
        const bool empty = total.sum[row] == 0.0F;
        const float inverse = empty ? 0.0F : 1.0F / total.sum[row];
        const std::size_t vector = (m_firstPosition + row / m_plan.group) * shape.heads +
                                   m_kvHead * m_plan.group + row % m_plan.group;
        for (std::size_t channel = 0; channel < shape.headDim; ++channel)
            m_call.out[vector * shape.headDim + channel] =
                total.out[row * shape.headDim + channel] * inverse;
        if (!m_call.lse.empty())
            m_call.lse[vector] = empty ? -std::numeric_limits<float>::infinity()
                                       : (total.maximum[row] + std::log2(total.sum[row])) * kLn2;
    }
}

} // namespace kernels::cpu
