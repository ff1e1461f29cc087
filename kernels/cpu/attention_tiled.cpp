#include "kernels/cpu/attention_tile_worker.h"
#include "kernels/cpu/thread_pool.h"

#include <memory>
#include <vector>

namespace kernels::cpu {
namespace {

/// Memory for partial results when few tiles are shared out by splits of their entries.
constexpr std::size_t kMaxPartialFloats = std::size_t{4} << 20U;

/// Every tile is one piece of work.
void attendWholeTiles(const AttentionCall& call, const TilePlan& plan,
                      const std::vector<TileItem>& items, ThreadPool& pool)
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
void attendSplits(const AttentionCall& call, const TilePlan& plan,
                  const std::vector<TileItem>& items, ThreadPool& pool)
{
    const std::size_t partFloats = stateFloats(plan.rows(), call.shape.headDim);
    std::vector<TileItem> splits;
    std::vector<std::size_t> firstPart;
    for (const TileItem& item : items) {
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
    const TilePlan plan = planTiles(call.shape);
    const std::vector<TileItem> items = listTiles(call, plan);
    std::size_t splits = 0;
    for (const TileItem& item : items)
        splits += item.endSplit - item.firstSplit;
    const bool fewTiles = items.size() < 8 * pool.threads() && pool.threads() > 1;
    const std::size_t partialFloats = splits * stateFloats(plan.rows(), call.shape.headDim);
    if (fewTiles && partialFloats <= kMaxPartialFloats)
        attendSplits(call, plan, items, pool);
    else
        attendWholeTiles(call, plan, items, pool);
}

} // namespace kernels::cpu
