#pragma once

#include "engine/methods/method.h"

#include <functional>
#include <memory>
#include <vector>

namespace engine {

/// The settings of a sparse prefill (selection.md 3.9).
std::vector<MethodParameter> sparsePrefillParameters();

/// The method that `make` gives, with a document read through patterns that are estimated for each
/// query head, piece by piece, from the attention of the piece's last rows. Everything else about
/// the method stays: its rows, its scores, and what it keeps. Rows that leave no trace in the store
/// (repetitions, questions) attend to everything.
std::unique_ptr<Method>
readSparsely(const std::function<std::unique_ptr<Method>(const DocumentPlan& plan)>& make,
             DocumentPlan plan);

} // namespace engine
