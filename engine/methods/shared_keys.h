#pragma once

#include "engine/kv/kv_store.h"
#include "engine/methods/layer_grouping.h"
#include "engine/run/hooks.h"

#include <vector>

namespace engine {

/// How the layers of a PoD context share keys (structural.md 5.3). An entry is proximal to a row
/// when it is one of the first `sinks` or of the last `recent` up to the row; the rest is distant,
/// and its keys are those of the group's lowest layer.
struct SharedKeys
{
    LayerGroups groups;
    std::uint32_t sinks = 0;
    std::uint32_t recent = 1;
    bool sharesScores = true; // the queries, too (variant S); otherwise the keys alone (variant K)

    /// Share of the attention on near entries from which on distant ones are left out, where they
    /// are another layer's, with the same queries and keys and so the same LSE (structural.md 5.4).
    /// Above 1: never. Not with variant K.
    float nearShare = 2;

    /// True when some head of the layer has keys of its own.
    bool owns(std::uint32_t layer) const;
    /// True when some head of the layer uses the keys of a lower one.
    bool borrows(std::uint32_t layer) const;
    /// True when a higher layer uses keys of this one.
    bool lends(std::uint32_t layer) const;
};

/// What the rows of a step attend to: recent and first entries with the layer's own keys, distant
/// ones with those of the owner. Adds nothing where everything is own or near, so that such a layer
/// is bit for bit a dense one; but with nearShare also where others use the keys, to know the LSE
/// of the distant ones.
void addSharedKeySegments(const SharedKeys& keys, const LayerStep& step,
                          std::vector<Segment>& segments);

/// Frees the keys of all full pages that are distant to every later row, in the lists that do not
/// own them.
void releaseDistantKeys(const SharedKeys& keys, KvStore& store);

} // namespace engine
