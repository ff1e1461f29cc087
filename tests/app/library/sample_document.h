#pragma once

#include "app/documents/imported_document.h"
#include "app/library/library.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

/// A PDF of `pages` pages with boxed words. Page i contains the words "page", "number<i>" and
/// `mark`; the hashes follow from `mark`, so documents of different marks are different.
app::ImportedDocument sampleDocument(std::string_view mark, std::size_t pages = 3);

/// The same bytes for the same seed.
std::vector<std::byte> sampleBytes(std::size_t count, std::uint32_t seed);

/// A record with every field that a caller sets.
app::ContextRecord sampleContext(app::RecordId documentId);

/// Documents of `library`, read completely: throws when a visible one is torn.
void readEverything(const app::Library& library);

} // namespace tests
