// Sparse attention of one query head at a time: its columns are copied into pages of their own
// once, then every tile of rows goes through its pages and through the columns outside them.

#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/attention_tile.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/cpu/tile_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace kernels::cpu {
namespace {

using Columns = std::span<const std::uint32_t>;

/// The columns of one head as float32 pages.
class ColumnPages
{
public:
    ColumnPages(const KvListView& list, Columns columns, std::size_t headDim, ThreadPool& pool)
        : m_columns(columns)
        , m_keyBytes(keyPageBytes(KvType::F32, headDim))
        , m_valueBytes(valuePageBytes(KvType::F32, headDim))
        , m_memory(
              std::make_unique_for_overwrite<std::byte[]>(pages() * (m_keyBytes + m_valueBytes)))
    {
        pool.parallelFor(pages(), 1, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t page = begin; page < end; ++page)
                copyPage(list, page, headDim);
        });
    }

    std::size_t pages() const { return (m_columns.size() + kPageRows - 1) / kPageRows; }
    Columns columns() const { return m_columns; }
    KvPageView page(std::size_t index) const
    {
        return {.keys = keysAt(index),
                .values = keysAt(index) + m_keyBytes,
                .type = KvType::F32,
                .rows = static_cast<std::uint32_t>(
                    std::min(kPageRows, m_columns.size() - index * kPageRows))};
    }

private:
    std::byte* keysAt(std::size_t index) const
    {
        return m_memory.get() + index * (m_keyBytes + m_valueBytes);
    }

    void copyPage(const KvListView& list, std::size_t index, std::size_t headDim)
    {
        const Columns own = m_columns.subspan(
            index * kPageRows, std::min(kPageRows, m_columns.size() - index * kPageRows));
        std::vector<float> keys(kPageRows * headDim); // what no column fills is 0, not any bytes
        std::vector<float> values(keys.size());
        for (std::size_t i = 0; i < own.size(); ++i) {
            const KvPageView& from = list.pages[own[i] / kPageRows];
            const std::size_t row = own[i] % kPageRows;
            decodeKeys(from.type, std::span(keys).subspan(i * headDim, headDim), from.keys, headDim,
                       row, 1);
            decodeValues(from.type, std::span(values).subspan(i * headDim, headDim), from.values,
                         headDim, row, 1);
        }
        encodeKeys(KvType::F32, keysAt(index), keys, headDim, 0);
        encodeValues(KvType::F32, keysAt(index) + m_keyBytes, values, headDim, 0);
    }

    Columns m_columns;
    std::size_t m_keyBytes;
    std::size_t m_valueBytes;
    std::unique_ptr<std::byte[]> m_memory;
};

std::uint32_t firstAt(Columns columns, std::size_t entry)
{
    return static_cast<std::uint32_t>(std::ranges::lower_bound(columns, entry) - columns.begin());
}

/// The runs of columns that lie in none of the pages: half-open ranges of their indices.
std::vector<EntryRange> runsOutside(Columns columns, std::span<const std::uint32_t> pages)
{
    std::vector<EntryRange> runs;
    std::uint32_t begin = 0;
    for (const std::uint32_t page : pages) {
        const std::uint32_t end = firstAt(columns, std::size_t{page} * kPageRows);
        if (end > begin)
            runs.push_back({begin, end});
        begin = firstAt(columns, (std::size_t{page} + 1) * kPageRows);
    }
    if (begin < columns.size())
        runs.push_back({begin, static_cast<std::uint32_t>(columns.size())});
    return runs;
}

/// The work of one thread: loads a tile of one head, then attends to its parts.
class SparseTile
{
public:
    explicit SparseTile(const AttentionCall& call)
        : m_call(call)
        , m_packed(std::make_unique_for_overwrite<float[]>(kPatternRows * call.shape.headDim))
        , m_states(std::make_unique_for_overwrite<float[]>(
              2 * stateFloats(kPatternRows, call.shape.headDim)))
        , m_page(std::make_unique_for_overwrite<float[]>(kPageScratchFloats))
    {}

    void attend(std::size_t head, std::size_t tile, const SparsePattern& pattern,
                const ColumnPages& columns)
    {
        load(head, tile);
        clearStateAvx2(m_total, m_rows, m_call.shape.headDim);
        attendPages(pattern.pages[tile]);
        attendColumns(pattern.pages[tile], columns);
        writeResults();
    }

private:
    void load(std::size_t head, std::size_t tile);
    void attendPages(std::span<const std::uint32_t> pages);
    void attendColumns(std::span<const std::uint32_t> pages, const ColumnPages& columns);
    void writeResults() const;

    QueryTile tileOf(const std::vector<EntryRange>& ranges) const
    {
        return {.packed = m_packed.get(),
                .ranges = ranges.data(),
                .rows = m_rows,
                .headDim = m_call.shape.headDim};
    }
    void fold() { foldStateAvx2(m_total, m_part, m_rows, m_call.shape.headDim); }

    const AttentionCall& m_call;
    const TileKernels& m_kernels = bestTileKernels();
    std::unique_ptr<float[]> m_packed; // (rows, headDim)
    std::unique_ptr<float[]> m_states; // the total and one part
    std::unique_ptr<float[]> m_page;
    SoftmaxState m_total;
    SoftmaxState m_part;
    std::vector<EntryRange> m_visible; // (rows)
    std::size_t m_head = 0;
    std::size_t m_kvHead = 0;
    std::size_t m_firstRow = 0;
    std::size_t m_rows = 0;
};

void SparseTile::load(std::size_t head, std::size_t tile)
{
    const AttentionShape& shape = m_call.shape;
    m_head = head;
    m_kvHead = head / (shape.heads / shape.kvHeads);
    m_firstRow = tile * kPatternRows;
    m_rows = std::min(kPatternRows, shape.rows - m_firstRow);
    m_total = stateAt(m_states.get(), m_rows);
    m_part = stateAt(m_states.get() + stateFloats(m_rows, shape.headDim), m_rows);
    m_visible.clear();
    std::vector<const float*> queries;
    for (std::size_t row = m_firstRow; row < m_firstRow + m_rows; ++row) {
        m_visible.push_back(m_call.visible[row * shape.kvHeads + m_kvHead]);
        queries.push_back(m_call.q.data() + (row * shape.heads + head) * shape.headDim);
    }
    packQueriesAvx2(m_packed.get(), queries.data(), m_rows, shape.headDim, shape.scale * kLog2E);
}

/// Cuts the pages where attention() cuts them, so that all pages give its bits.
void SparseTile::attendPages(std::span<const std::uint32_t> pages)
{
    const QueryTile tile = tileOf(m_visible);
    for (std::size_t i = 0; i < pages.size();) {
        const std::size_t split = pages[i] / kSplitPages;
        clearStateAvx2(m_part, m_rows, tile.headDim);
        for (; i < pages.size() && pages[i] / kSplitPages == split; ++i)
            m_kernels.attendPage(m_part, tile, m_call.lists[m_kvHead].pages[pages[i]],
                                 std::size_t{pages[i]} * kPageRows, m_page.get(), nullptr);
        fold();
    }
}

void SparseTile::attendColumns(std::span<const std::uint32_t> pages, const ColumnPages& columns)
{
    if (columns.columns().empty())
        return;
    // What a row sees in terms of columns.
    std::vector<EntryRange> seen;
    for (const EntryRange& range : m_visible)
        seen.push_back(
            {firstAt(columns.columns(), range.begin), firstAt(columns.columns(), range.end)});
    std::vector<EntryRange> inRun(m_rows);
    for (const EntryRange& run : runsOutside(columns.columns(), pages)) {
        EntryRange any{run.end, run.begin};
        for (std::size_t row = 0; row < m_rows; ++row) {
            inRun[row] = {std::max(seen[row].begin, run.begin), std::min(seen[row].end, run.end)};
            if (inRun[row].begin < inRun[row].end)
                any = {std::min(any.begin, inRun[row].begin), std::max(any.end, inRun[row].end)};
        }
        const QueryTile tile = tileOf(inRun);
        for (std::size_t page = any.begin / kPageRows; page * kPageRows < any.end;) {
            const std::size_t split = page / kSplitPages;
            clearStateAvx2(m_part, m_rows, tile.headDim);
            for (; page * kPageRows < any.end && page / kSplitPages == split; ++page)
                m_kernels.attendPage(m_part, tile, columns.page(page), page * kPageRows,
                                     m_page.get(), nullptr);
            fold();
        }
    }
}

void SparseTile::writeResults() const
{
    const AttentionShape& shape = m_call.shape;
    for (std::size_t row = 0; row < m_rows; ++row) {
        const bool empty = m_total.sum[row] == 0.0F;
        const float inverse = empty ? 0.0F : 1.0F / m_total.sum[row];
        const std::size_t vector = (m_firstRow + row) * shape.heads + m_head;
        for (std::size_t channel = 0; channel < shape.headDim; ++channel)
            m_call.out[vector * shape.headDim + channel] =
                m_total.out[row * shape.headDim + channel] * inverse;
        if (!m_call.lse.empty())
            m_call.lse[vector] = empty
                                     ? -std::numeric_limits<float>::infinity()
                                     : (m_total.maximum[row] + std::log2(m_total.sum[row])) * kLn2;
    }
}

} // namespace

void sparseAttentionTiled(const AttentionCall& call, std::span<const SparsePattern> patterns,
                          ThreadPool& pool)
{
    const AttentionShape& shape = call.shape;
    const std::size_t group = shape.heads / shape.kvHeads;
    const std::size_t tiles = (shape.rows + kPatternRows - 1) / kPatternRows;
    std::vector<std::unique_ptr<SparseTile>> workers(pool.threads());
    for (std::size_t head = 0; head < shape.heads; ++head) {
        const ColumnPages columns(call.lists[head / group], patterns[head].columns, shape.headDim,
                                  pool);
        pool.parallelFor(tiles, 1, [&](std::size_t begin, std::size_t end, std::size_t thread) {
            if (!workers[thread])
                workers[thread] = std::make_unique<SparseTile>(call);
            for (std::size_t i = begin; i < end; ++i) // the later ones first: they read more
                workers[thread]->attend(head, tiles - 1 - i, patterns[head], columns);
        });
    }
}

} // namespace kernels::cpu
