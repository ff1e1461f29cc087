#pragma once

#include "engine/kv/kv_store.h"
#include "engine/run/job.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// What a finished job leaves besides its rows.
struct JobRemains
{
    std::vector<std::byte> state; // of the method
    double seconds = 0;           // of work
    std::uint64_t peakBytes = 0;  // most memory of the process up to the job's end
};

/// The keys and values that a job appended (as float16, the working type) and what else it left.
/// Call after the job ran and before the method edits the store.
std::vector<std::byte> writeJobCheckpoint(const Job& job, const KvStore& store,
                                          const JobRemains& remains);

/// Appends the stored rows of `job` to the store as the run would have done and returns what else
/// the job left. Throws Damaged, or Mismatch when the piece belongs to another job; the store may
/// then hold a part of the rows.
JobRemains replayJobCheckpoint(const Job& job, KvStore& store, Backend& backend,
                               std::span<const std::byte> piece);

} // namespace engine
