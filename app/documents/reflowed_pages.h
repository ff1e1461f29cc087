#pragma once

#include "app/documents/import_sink.h"

#include <string_view>
#include <vector>

namespace app {

/// Sends the pieces of `text` as pages numbered from 1, without sizes and word boxes.
void addReflowedPages(std::string_view text, const std::vector<ByteRange>& pages, ImportSink& sink);

/// Index of the page that holds the byte `offset`; the last page for offsets behind the end.
/// `pages` is ascending, without gaps, and not empty.
std::size_t pageAt(const std::vector<ByteRange>& pages, std::size_t offset);

} // namespace app
