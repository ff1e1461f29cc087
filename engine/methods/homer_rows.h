#pragma once

#include "engine/kv/kv_store.h"

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// How many tokens stand before and behind every chunk, and in the document between them. Together
/// they are numbered through: prefix, document, suffix.
struct HomerAffixes
{
    std::uint32_t prefix = 0;
    std::uint32_t document = 0;
    std::uint32_t suffix = 0;
};

/// The rows of one node of HOMER's tree. Their keys and values are the last entries of the lists of
/// every layer that they ran through.
struct HomerRows
{
    std::vector<std::uint32_t> ids; // prefix, document and suffix tokens, numbered through
    std::vector<std::int32_t> positions;
    std::vector<float> hidden;       // (rows, width) after the node's last layer
    std::vector<float> significance; // (rows) so far; empty where it is not carried on

    std::uint32_t count() const { return static_cast<std::uint32_t>(ids.size()); }
};

/// A chunk of the document's tokens [begin, end) between prefix and suffix. The suffix of a short
/// last chunk stands where that of the others does.
HomerRows chunkRows(const HomerAffixes& affixes, std::uint32_t begin, std::uint32_t end,
                    std::int32_t suffixPosition);

/// Propagative refinement (structural.md 3.2, step 7): rows that were not kept go from the lists of
/// the layers [0, layerEnd). Of `hidden` nothing is dropped: it has the kept rows already.
void keepRows(HomerRows& rows, KvStore& store, std::uint32_t layerEnd,
              std::span<const std::uint32_t> kept);

/// [prefix, left, suffix][prefix, right, suffix] becomes [prefix, left, right, suffix] (step 9).
/// Prefix and suffix are the mean of both, also rotated keys, since their positions are the same.
HomerRows mergeRows(HomerRows left, HomerRows right, KvStore& store, std::uint32_t layerEnd,
                    const HomerAffixes& affixes);

} // namespace engine
