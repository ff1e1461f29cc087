#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/attention_tile.h"
#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

namespace kernels::cpu {
namespace {

/// Rows that share the conversion of a page; more would no longer fit beside the page in the
/// second-level cache.
constexpr std::size_t kTileRows = 96;

/// Memory for partial results when few tiles are shared out by splits of their entries.
constexpr std::size_t kMaxPartialFloats = std::size_t{4} << 20U;

constexpr std::size_t kSplitEntries = kSplitPages * kPageRows;

struct Plan
{
    std::size_t group = 1;     // query heads of one KV head
    std::size_t positions = 1; // query rows of one tile
    std::size_t tiles = 0;     // of one KV head

    std::size_t rows() const { return group * positions; }
};

Plan makePlan(const AttentionShape& shape)
{
    Plan plan;
    plan.group = shape.heads / shape.kvHeads;
    const std::size_t unit = kBlockRows / std::gcd(plan.group, kBlockRows);
    plan.positions = unit * std::max<std::size_t>(1, kTileRows / (unit * plan.group));
    plan.positions = std::min(plan.positions, shape.rows);
    plan.tiles = (shape.rows + plan.positions - 1) / plan.positions;
    return plan;
}

/// One tile and the splits of its entries that are worked off together.
struct WorkItem
{
    std::size_t kvHead = 0;
    std::size_t tile = 0;
    std::size_t firstSplit = 0;
    std::size_t endSplit = 0;
};

/// The work of one thread: loads a tile, then attends to splits of it.
class TileWorker
{
public:
    TileWorker(const AttentionCall& call, const Plan& plan)
        : m_call(call)
        , m_plan(plan)
        , m_packed(std::make_unique_for_overwrite<float[]>(plan.rows() * call.shape.headDim))
        , m_states(std::make_unique_for_overwrite<float[]>(
              2 * stateFloats(plan.rows(), call.shape.headDim)))
        , m_page(std::make_unique_for_overwrite<float[]>(kPageScratchFloats))
        , m_ranges(plan.rows())
        , m_queries(plan.rows())
    {}

    void load(std::size_t kvHead, std::size_t tile);
    std::size_t rows() const { return m_rows; }

    /// Attends to one split alone.
    void attendSplit(const SoftmaxState& state, std::size_t split);

    /// Attends to the splits [first, end), folds them in order and writes the results.
    void attendAll(std::size_t first, std::size_t end);

    void writeResults(const SoftmaxState& total) const;
    SoftmaxState totalState() { return stateAt(m_states.get(), m_rows); }

private:
    const AttentionCall& m_call;
    const Plan& m_plan;
    std::unique_ptr<float[]> m_packed; // (rows, headDim)
    std::unique_ptr<float[]> m_states; // the total and one split
    std::unique_ptr<float[]> m_page;
    std::vector<EntryRange> m_ranges;
    std::vector<const float*> m_queries;
    std::size_t m_kvHead = 0;
    std::size_t m_firstPosition = 0;
    std::size_t m_rows = 0;
    EntryRange m_seen; // by any row
};

/// The smallest range that covers two; an empty one covers nothing.
EntryRange cover(EntryRange a, EntryRange b)
{
    if (b.begin >= b.end)
        return a;
    if (a.begin >= a.end)
        return b;
    return {.begin = std::min(a.begin, b.begin), .end = std::max(a.end, b.end)};
}

EntryRange seenByTile(const AttentionCall& call, const Plan& plan, std::size_t kvHead,
                      std::size_t tile)
{
    EntryRange seen;
    const std::size_t first = tile * plan.positions;
    const std::size_t end = std::min(first + plan.positions, call.shape.rows);
    for (std::size_t row = first; row < end; ++row)
        seen = cover(seen, call.visible[row * call.shape.kvHeads + kvHead]);
    return seen;
}

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

void TileWorker::attendSplit(const SoftmaxState& state, std::size_t split)
{
    const QueryTile tile{.packed = m_packed.get(),
                         .ranges = m_ranges.data(),
                         .rows = m_rows,
                         .headDim = m_call.shape.headDim};
    clearStateAvx2(state, m_rows, tile.headDim);
    const std::size_t begin = std::max<std::size_t>(m_seen.begin, split * kSplitEntries);
    const std::size_t end = std::min<std::size_t>(m_seen.end, (split + 1) * kSplitEntries);
    for (std::size_t page = begin / kPageRows; page * kPageRows < end; ++page)
        attendPageAvx2(state, tile, m_call.lists[m_kvHead].pages[page], page * kPageRows,
                       m_page.get());
}

void TileWorker::attendAll(std::size_t first, std::size_t end)
{
    const std::size_t headDim = m_call.shape.headDim;
    const SoftmaxState total = totalState();
    const SoftmaxState part = stateAt(m_states.get() + stateFloats(m_rows, headDim), m_rows);
    clearStateAvx2(total, m_rows, headDim);
    for (std::size_t split = first; split < end; ++split) {
        attendSplit(part, split);
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

/// All tiles, the later ones first: they see more entries, and the last pieces should be small.
std::vector<WorkItem> listTiles(const AttentionCall& call, const Plan& plan)
{
    std::vector<WorkItem> items;
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

/// Every tile is one piece of work.
void attendWholeTiles(const AttentionCall& call, const Plan& plan,
                      const std::vector<WorkItem>& items, ThreadPool& pool)
{
    std::vector<std::unique_ptr<TileWorker>> workers(pool.threads());
    pool.parallelFor(items.size(), 1, [&](std::size_t begin, std::size_t end, std::size_t thread) {
        if (!workers[thread])
            workers[thread] = std::make_unique<TileWorker>(call, plan);
        for (std::size_t i = begin; i < end; ++i) {
            workers[thread]->load(items[i].kvHead, items[i].tile);
            workers[thread]->attendAll(items[i].firstSplit, items[i].endSplit);
        }
    });
}

/// Every split of a tile is one piece of work; the partial results are folded in order afterwards.
void attendSplits(const AttentionCall& call, const Plan& plan, const std::vector<WorkItem>& items,
                  ThreadPool& pool)
{
    const std::size_t partFloats = stateFloats(plan.rows(), call.shape.headDim);
    std::vector<WorkItem> splits;
    std::vector<std::size_t> firstPart;
    for (const WorkItem& item : items) {
        firstPart.push_back(splits.size());
        for (std::size_t split = item.firstSplit; split < item.endSplit; ++split) {
            splits.push_back(item);
            splits.back().firstSplit = split;
        }
    }
    const auto parts = std::make_unique_for_overwrite<float[]>(splits.size() * partFloats);
    std::vector<std::unique_ptr<TileWorker>> workers(pool.threads());
    const auto workerOf = [&](std::size_t thread) -> TileWorker& {
        if (!workers[thread])
            workers[thread] = std::make_unique<TileWorker>(call, plan);
        return *workers[thread];
    };
    pool.parallelFor(splits.size(), 1, [&](std::size_t begin, std::size_t end, std::size_t thread) {
        TileWorker& worker = workerOf(thread);
        for (std::size_t i = begin; i < end; ++i) {
            worker.load(splits[i].kvHead, splits[i].tile);
            worker.attendSplit(stateAt(parts.get() + i * partFloats, worker.rows()),
                               splits[i].firstSplit);
        }
    });
    pool.parallelFor(items.size(), 1, [&](std::size_t begin, std::size_t end, std::size_t thread) {
        TileWorker& worker = workerOf(thread);
        for (std::size_t i = begin; i < end; ++i) {
            worker.load(items[i].kvHead, items[i].tile);
            const SoftmaxState total = worker.totalState();
            clearStateAvx2(total, worker.rows(), call.shape.headDim);
            const std::size_t count = items[i].endSplit - items[i].firstSplit;
            for (std::size_t part = firstPart[i]; part < firstPart[i] + count; ++part)
                foldStateAvx2(total, stateAt(parts.get() + part * partFloats, worker.rows()),
                              worker.rows(), call.shape.headDim);
            worker.writeResults(total);
        }
    });
}

} // namespace

void attentionTiled(const AttentionCall& call, ThreadPool& pool)
{
    if (call.shape.rows == 0)
        return;
    const Plan plan = makePlan(call.shape);
    const std::vector<WorkItem> items = listTiles(call, plan);
    std::size_t splits = 0;
    for (const WorkItem& item : items)
        splits += item.endSplit - item.firstSplit;
    const bool fewTiles = items.size() < 8 * pool.threads() && pool.threads() > 1;
    const std::size_t partialFloats = splits * stateFloats(plan.rows(), call.shape.headDim);
    if (fewTiles && partialFloats <= kMaxPartialFloats)
        attendSplits(call, plan, items, pool);
    else
        attendWholeTiles(call, plan, items, pool);
}

} // namespace kernels::cpu
