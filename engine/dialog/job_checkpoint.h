#pragma once

#include "engine/kv/kv_store.h"
#include "engine/run/job.h"

#include <cstddef>
#include <span>
#include <vector>

namespace engine {

/// The keys and values that a job appended (as float16, the working type) and the method's state
/// after it. Call after the job ran and before the method edits the store.
std::vector<std::byte> writeJobCheckpoint(const Job& job, const KvStore& store,
                                          std::span<const std::byte> state);

/// Appends the stored rows of `job` to the store as the run would have done and returns the
/// method's state. Throws Damaged, or Mismatch when the piece belongs to another job.
std::vector<std::byte> replayJobCheckpoint(const Job& job, KvStore& store, Backend& backend,
                                           std::span<const std::byte> piece);

} // namespace engine
