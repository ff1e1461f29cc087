#pragma once

#include "engine/methods/method.h"
#include "engine/model/model_config.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace engine {

/// The settings that every method has: "rope" (none, linear, ntk, yarn) stretches the model's
/// positions over a longer text, "rope-factor" says by how much; 0 is the smallest power of two
/// that the document needs.
std::vector<MethodParameter> ropeParameters();

/// Replaces a factor of 0 by the smallest power of two with which `positions` and `room` further
/// ones fit into the window; 1 with rope=none. Throws BadInput for a factor without a scaling, or
/// for a model that its file scales already; TooLarge when no factor is enough.
void resolveRopeFactor(DocumentPlan& plan, const ModelConfig& model, const MethodEntry& entry,
                       std::uint64_t room);

/// How positions turn keys under resolved settings: structural.md 2.2 with the model's own window
/// as the original length.
RopeConfig ropeOf(const ModelConfig& model, const std::map<std::string, double>& settings);

/// The table of ropeOf(), for KvStore::setRope; null when it is the model's own.
std::shared_ptr<const RopeTable> tableOf(const ModelConfig& model,
                                         const std::map<std::string, double>& settings);

/// Positions that the model has under resolved settings: its window times the factor.
std::uint64_t windowOf(const ModelConfig& model, const std::map<std::string, double>& settings);

} // namespace engine
