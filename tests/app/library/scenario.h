#pragma once

#include "app/library/library.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace tests {

enum class Step : std::int64_t
{
    DocumentAdded,
    DocumentDoomed, // is about to be removed: may be there or not
    DocumentRemoved,
    ContextBegun, // value: its document
    CheckpointWritten,
    SegmentWritten,
    ContextReady,
    MessageWritten, // value: bytes of its text
    JobWritten      // value: progress in percent
};

/// What the library has acknowledged: from then on it must never be lost. Plain data, so that it
/// can go through a pipe.
struct Event
{
    Step step = Step::DocumentAdded;
    app::RecordId id = 0;
    std::int64_t value = 0; // number of checkpoints or segments so far, or as said above
};

using Acknowledge = std::function<void(const Event&)>;

/// One round of work of every kind; removes the document of the round before.
/// Returns the document it added.
app::RecordId workOneRound(app::Library& library, int round, app::RecordId before,
                           const Acknowledge& acknowledge);

/// Throws engine::Error when something acknowledged is missing or wrong, or something is torn.
void checkAcknowledged(app::Library& library, const std::vector<Event>& events);

} // namespace tests
