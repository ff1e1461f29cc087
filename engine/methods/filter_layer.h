#pragma once

#include "engine/methods/method.h"

namespace engine {

/// A layer for GemFilter to score, and how well a model answers from what it chooses.
struct FilterLayer
{
    std::uint32_t layer = 0;
    double agreement = 1; // share of tokens that are those of the whole text; 1 if not measured
};

/// A sentence for the user where the layer does not select cleanly.
std::vector<std::string> filterLayerWarnings(const FilterLayer& layer);

/// The layer whose choice changes least what the model says (selection.md 3.1, "automatic r by
/// output similarity"): pieces of the document are continued once densely and, for each layer from
/// a quarter to three quarters of the model, from a quarter of their tokens. The layer with the
/// most equal tokens wins, then the one with the smaller divergence, then the lower one.
FilterLayer chooseFilterLayer(const DocumentPlan& plan);

} // namespace engine
