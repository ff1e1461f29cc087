#pragma once

#include "app/documents/import_sink.h"

#include <filesystem>

namespace app {

/// Plain text: form feeds are page breaks; without them pages are cut as page_cutter.h says.
/// @throws engine::Error (TooLarge, Unsupported) with a sentence for the user.
void readTextDocument(const std::filesystem::path& file, ImportSink& sink);

/// Markdown stays as it was written; its headings become the outline, the first of level one the
/// title.
void readMarkdownDocument(const std::filesystem::path& file, ImportSink& sink);

} // namespace app
