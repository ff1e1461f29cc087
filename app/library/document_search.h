#pragma once

#include "app/library/records.h"
#include "app/store/database.h"

#include <string>
#include <string_view>
#include <vector>

namespace app {

/// What a person typed, as an FTS5 expression: every word must occur, text in double quotes is a
/// phrase, the last word may be unfinished. Nothing in `query` acts as an operator. Empty if there
/// is no word in it.
std::string searchExpression(std::string_view query);

/// See Library::search.
std::vector<SearchHit> searchPages(const Database& library, std::string_view query,
                                   RecordId documentId, std::size_t limit);

} // namespace app
