#pragma once

#include "engine/gguf/gguf_writer.h"

#include <istream>
#include <string>

#include "resources/models/reader_weights.h"

namespace resources {

/// The whole model file: weights by formula, vocabulary from `merges`, `chatTemplate` as it is.
/// Throws engine::Error (Damaged) for a merge list of the wrong size.
engine::GgufWriter makeConstructedReader(std::istream& merges, const std::string& chatTemplate,
                                         const ReaderVariant& variant = {});

} // namespace resources
