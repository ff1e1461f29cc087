#pragma once

#include "app/documents/import_sink.h"

#include <filesystem>

namespace app {

/// EPUB 2 and 3: the parts of the spine in order, each beginning a page of its own.
/// @throws engine::Error with a sentence for the user.
void readEpubDocument(const std::filesystem::path& file, ImportSink& sink);

} // namespace app
