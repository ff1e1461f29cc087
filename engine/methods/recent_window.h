#pragma once

#include "engine/methods/method.h"

#include <cstdint>
#include <limits>

namespace engine {

/// A window without a length: everything from the first entry on.
constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();

/// Each row sees the last `window` entries up to itself, of those from entry `firstEntry` on. Lists
/// of one length.
Segment recentSegment(const LayerStep& step, std::uint32_t firstEntry, std::uint32_t window);

/// Drops everything between the first `first` and the last `last` entries of every list. Lists of
/// one length.
void keepEnds(KvStore& store, std::uint32_t first, std::uint32_t last);

/// Turns the keys of entries [begin, end) of every list by `delta` positions.
void moveEntries(KvStore& store, const DocumentPlan& plan, kernels::EntryRange entries,
                 std::int32_t delta);

} // namespace engine
