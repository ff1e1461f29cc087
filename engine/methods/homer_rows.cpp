#include "engine/methods/homer_rows.h"

#include <algorithm>
#include <numeric>

namespace engine {
namespace {

template <typename Value>
std::vector<Value> pick(const std::vector<Value>& from, std::span<const std::uint32_t> indices)
{
    std::vector<Value> out;
    out.reserve(indices.size());
    for (const std::uint32_t index : indices)
        out.push_back(from[index]);
    return out;
}

template <typename Edit>
void forEachList(KvStore& store, std::uint32_t layerEnd, const Edit& edit)
{
    for (std::uint32_t layer = 0; layer < layerEnd; ++layer) {
        for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head)
            edit(store.list(layer, head));
    }
}

/// Drops all but the given ones of the last `rows` entries.
void keepLast(KvList& list, std::uint32_t rows, std::span<const std::uint32_t> kept,
              std::size_t headDim)
{
    const std::uint32_t begin = list.length() - rows;
    std::vector<std::uint32_t> entries(kept.begin(), kept.end());
    for (std::uint32_t& each : entries)
        each += begin;
    list.keepTail(begin, entries, headDim);
}

std::vector<float> mergeHidden(std::vector<float> left, std::vector<float> right,
                               std::size_t prefix, std::size_t suffix)
{
    for (std::size_t i = 0; i < prefix; ++i)
        left[i] = 0.5F * (left[i] + right[i]);
    for (std::size_t i = 1; i <= suffix; ++i) {
        float& value = right[right.size() - i];
        value = 0.5F * (left[left.size() - i] + value);
    }
    left.resize(left.size() - suffix);
    left.insert(left.end(), right.begin() + static_cast<std::ptrdiff_t>(prefix), right.end());
    return left;
}

} // namespace

HomerRows chunkRows(const HomerAffixes& affixes, std::uint32_t begin, std::uint32_t end,
                    std::int32_t suffixPosition)
{
    HomerRows rows;
    const auto add = [&](std::uint32_t id, std::uint32_t position) {
        rows.ids.push_back(id);
        rows.positions.push_back(static_cast<std::int32_t>(position));
    };
    for (std::uint32_t i = 0; i < affixes.prefix; ++i)
        add(i, i);
    for (std::uint32_t i = begin; i < end; ++i)
        add(affixes.prefix + i, affixes.prefix + i - begin);
    for (std::uint32_t i = 0; i < affixes.suffix; ++i)
        add(affixes.prefix + affixes.document + i, static_cast<std::uint32_t>(suffixPosition) + i);
    return rows;
}

void keepRows(HomerRows& rows, KvStore& store, std::uint32_t layerEnd,
              std::span<const std::uint32_t> kept)
{
    if (kept.size() == rows.count())
        return;
    forEachList(store, layerEnd,
                [&](KvList& list) { keepLast(list, rows.count(), kept, store.shape().headDim); });
    rows.ids = pick(rows.ids, kept);
    rows.positions = pick(rows.positions, kept);
    if (!rows.significance.empty())
        rows.significance = pick(rows.significance, kept);
}

HomerRows mergeRows(HomerRows left, HomerRows right, KvStore& store, std::uint32_t layerEnd,
                    const HomerAffixes& affixes)
{
    const std::uint32_t prefix = affixes.prefix;
    const std::uint32_t suffix = affixes.suffix;
    const std::uint32_t both = left.count() + right.count();
    const std::uint32_t leftSuffix = left.count() - suffix;
    std::vector<std::uint32_t> kept(both);
    std::iota(kept.begin(), kept.end(), 0U);
    kept.erase(kept.begin() + leftSuffix, kept.begin() + left.count() + prefix);
    const std::size_t headDim = store.shape().headDim;
    forEachList(store, layerEnd, [&](KvList& list) {
        const std::uint32_t begin = list.length() - both;
        list.blend(begin, begin + left.count(), prefix, headDim);
        list.blend(begin + both - suffix, begin + leftSuffix, suffix, headDim);
        keepLast(list, both, kept, headDim);
    });
    const std::size_t width = left.hidden.size() / left.count();
    HomerRows merged;
    merged.hidden = mergeHidden(std::move(left.hidden), std::move(right.hidden), prefix * width,
                                suffix * width);
    std::ranges::copy(right.ids, std::back_inserter(left.ids));
    std::ranges::copy(right.positions, std::back_inserter(left.positions));
    std::ranges::copy(right.significance, std::back_inserter(left.significance));
    merged.ids = pick(left.ids, kept);
    merged.positions = pick(left.positions, kept);
    if (!left.significance.empty())
        merged.significance = pick(left.significance, kept);
    return merged;
}

} // namespace engine
