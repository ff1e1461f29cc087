#include "engine/methods/recent_window.h"

#include <algorithm>
#include <numeric>

namespace engine {

Segment recentSegment(const LayerStep& step, std::uint32_t firstEntry, std::uint32_t window)
{
    const auto rows = static_cast<std::uint32_t>(step.rows.size());
    const std::uint32_t before = step.store->list(step.layer, 0).length() - rows;
    Segment recent;
    for (std::uint32_t r = 0; r < rows; ++r) {
        const std::uint32_t end = before + r + 1;
        const std::uint32_t begin =
            std::max(std::min(firstEntry, end), end > window ? end - window : 0);
        recent.visible.insert(recent.visible.end(), step.store->shape().kvHeads, {begin, end});
    }
    return recent;
}

void keepEnds(KvStore& store, std::uint32_t first, std::uint32_t last)
{
    const KvShape shape = store.shape();
    const std::uint32_t length = store.list(0, 0).length();
    if (length <= first + last)
        return;
    std::vector<std::uint32_t> kept(first + last);
    std::iota(kept.begin(), kept.begin() + first, 0U);
    std::iota(kept.begin() + first, kept.end(), length - last);
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head)
            store.list(layer, head).keep(kept, shape.headDim);
    }
}

void moveEntries(KvStore& store, const DocumentPlan& plan, kernels::EntryRange entries,
                 std::int32_t delta)
{
    if (delta == 0 || entries.begin == entries.end)
        return;
    const KvShape shape = store.shape();
    const std::vector<std::int32_t> deltas(entries.end - entries.begin, delta);
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            store.list(layer, head).editKeys(entries, shape.headDim, [&](std::span<float> keys) {
                plan.rotate(keys, deltas);
            });
        }
    }
}

} // namespace engine
