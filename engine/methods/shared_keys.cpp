#include "engine/methods/shared_keys.h"

#include <algorithm>

namespace engine {
namespace {

using kernels::EntryRange;

/// The three parts of one row's entries [0, end).
struct Parts
{
    EntryRange recent;
    EntryRange sinks;
    EntryRange distant;
};

Parts partsOf(const SharedKeys& keys, std::uint32_t end)
{
    if (end <= keys.sinks + keys.recent)
        return {{0, end}, {0, 0}, {keys.sinks, keys.sinks}};
    const std::uint32_t begin = end - keys.recent;
    return {{begin, end}, {0, keys.sinks}, {keys.sinks, begin}};
}

} // namespace

bool SharedKeys::borrows(std::uint32_t layer) const
{
    for (std::uint32_t head = 0; head < groups.kvHeads; ++head) {
        if (groups.ownerOf(layer, head) != layer)
            return true;
    }
    return false;
}

bool SharedKeys::owns(std::uint32_t layer) const
{
    for (std::uint32_t head = 0; head < groups.kvHeads; ++head) {
        if (groups.ownerOf(layer, head) == layer)
            return true;
    }
    return false;
}

bool SharedKeys::lends(std::uint32_t layer) const
{
    for (std::uint32_t higher = layer + 1; higher < groups.layers; ++higher) {
        for (std::uint32_t head = 0; head < groups.kvHeads; ++head) {
            if (groups.ownerOf(higher, head) == layer)
                return true;
        }
    }
    return false;
}

void addSharedKeySegments(const SharedKeys& keys, const LayerStep& step,
                          std::vector<Segment>& segments)
{
    const auto rows = static_cast<std::uint32_t>(step.rows.size());
    const std::uint32_t length = step.store->list(step.layer, 0).length();
    const bool tellsLse = keys.nearShare <= 1 && keys.lends(step.layer);
    if ((!keys.borrows(step.layer) && !tellsLse) || length <= keys.sinks + keys.recent)
        return;
    Segment recent;
    Segment sinks;
    Segment distant;
    for (std::uint32_t head = 0; head < keys.groups.kvHeads; ++head)
        distant.keyLayers.push_back(keys.groups.ownerOf(step.layer, head));
    distant.carriedQuery = keys.sharesScores;
    distant.keepsLse = tellsLse;
    if (keys.nearShare <= 1)
        distant.nearShare = keys.nearShare;
    for (std::uint32_t end = length - rows + 1; end <= length; ++end) {
        const Parts parts = partsOf(keys, end);
        for (std::uint32_t head = 0; head < keys.groups.kvHeads; ++head) {
            const bool whole = distant.keyLayers[head] == step.layer && !tellsLse;
            recent.visible.push_back(whole ? EntryRange{0, end} : parts.recent);
            sinks.visible.push_back(whole ? EntryRange{0, 0} : parts.sinks);
            distant.visible.push_back(whole ? EntryRange{keys.sinks, keys.sinks} : parts.distant);
        }
    }
    segments.push_back(std::move(recent));
    segments.push_back(std::move(sinks));
    segments.push_back(std::move(distant));
}

void releaseDistantKeys(const SharedKeys& keys, KvStore& store)
{
    constexpr auto kPage = static_cast<std::uint32_t>(kernels::kPageRows);
    for (std::uint32_t layer = 0; layer < keys.groups.layers; ++layer) {
        for (std::uint32_t head = 0; head < keys.groups.kvHeads; ++head) {
            if (keys.groups.ownerOf(layer, head) == layer)
                continue;
            KvList& list = store.list(layer, head);
            // The next row ends at length + 1, so this is where its recent entries begin.
            const std::uint32_t reach = list.length() + 1 - std::min(list.length(), keys.recent);
            const std::uint32_t first = (keys.sinks + kPage - 1) / kPage;
            const std::uint32_t end = std::min(reach, list.length()) / kPage;
            if (first < end)
                list.releaseKeys(first, end);
        }
    }
}

} // namespace engine
