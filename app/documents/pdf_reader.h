#pragma once

#include "app/documents/import_sink.h"

#include <filesystem>

namespace app {

/// PDF by Poppler: text in the order in which it is read, word boxes, page labels, outline.
/// @throws engine::Error with a sentence for the user.
void readPdfDocument(const std::filesystem::path& file, ImportSink& sink);

} // namespace app
