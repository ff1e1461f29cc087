#pragma once

#include "engine/kv/kv_store.h"

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// The rows of one node of HOMER's tree. Their keys and values are the last entries of the lists of
/// every layer that they ran through.
struct HomerRows
{
    std::vector<std::uint32_t> ids; // prefix, document and suffix tokens, numbered through
    std::vector<std::int32_t> positions;
    std::vector<float> hidden; // (rows, width) after the node's last layer

    std::uint32_t count() const { return static_cast<std::uint32_t>(ids.size()); }
};

/// Propagative refinement (structural.md 3.2, step 7): rows that were not kept go from the lists of
/// the layers [0, layerEnd). Of `hidden` nothing is dropped: it has the kept rows already.
void keepRows(HomerRows& rows, KvStore& store, std::uint32_t layerEnd,
              std::span<const std::uint32_t> kept);

/// [prefix, left, suffix][prefix, right, suffix] becomes [prefix, left, right, suffix] (step 9).
/// Prefix and suffix are the mean of both, also rotated keys, since their positions are the same.
HomerRows mergeRows(HomerRows left, HomerRows right, KvStore& store, std::uint32_t layerEnd,
                    std::uint32_t prefix, std::uint32_t suffix);

} // namespace engine
