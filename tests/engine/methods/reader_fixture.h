#pragma once

#include "engine/engine.h"
#include "engine/kv/kv_store.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tests {

/// The constructed reader that the build made.
std::shared_ptr<engine::LoadedModel> loadReader(unsigned threads = 2);

/// A text of about `words` words in sentences that do not repeat, made by a small generator, with
/// blank lines.
std::string makeText(std::size_t words, std::uint32_t seed = 1);

/// Runs a preparation to its end.
std::shared_ptr<const engine::Context> prepare(const std::shared_ptr<engine::LoadedModel>& model,
                                               const std::string& text,
                                               const engine::PrepareOptions& options);

/// The answer at temperature 0.
engine::Answer ask(const std::shared_ptr<engine::LoadedModel>& model,
                   const std::shared_ptr<const engine::Context>& context,
                   const std::string& question);

/// The row that each entry of a list stands for, in order.
std::vector<std::uint32_t> rowsOf(const engine::KvList& list);

} // namespace tests
