#pragma once

#include "engine/run/transformer.h"

#include <cstdint>

namespace engine {

/// What it costs to take up a stored document again, and what it must cost at least.
struct RestoreCost
{
    std::uint64_t bytes = 0;   // of all segments
    double restoreSeconds = 0; // segments from a file to the logits of the first answer token
    double readSeconds = 0;    // reading the same bytes and doing nothing with them
    double decodeSeconds = 0;  // one decode step behind the same entries
    double floorSeconds() const { return readSeconds + decodeSeconds; }
};

/// Writes a context of the store's entries to a temporary file and measures taking it up again. The
/// file is warm: the disk is not measured. `entries` holds document rows only. Throws
/// Error(DiskFull) when the file cannot be written.
RestoreCost measureRestore(KvStore entries, Transformer& transformer);

} // namespace engine
