#pragma once

#include "app/library/records.h"
#include "engine/engine.h"

#include <string>

namespace app {

/// Everything that decides the result of a preparation besides model and text, as stable JSON text:
/// two preparations with the same text continue each other.
std::string settingsJson(const engine::PrepareOptions& options);
/// Inverse of settingsJson. Throws engine::Error(Damaged).
engine::PrepareOptions optionsFromJson(const std::string& text);

/// A new context's record before anything is known of the result.
ContextRecord makeContextRecord(RecordId documentId, const engine::LoadedModel& model,
                                const engine::PrepareOptions& options);

/// Fills in what the finished context measured.
void fillResult(ContextRecord& record, const engine::ContextInfo& info);

/// The memory ledger as JSON text, an object per sample.
std::string ledgerJson(const std::vector<engine::MemorySample>& ledger);

} // namespace app
