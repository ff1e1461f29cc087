#pragma once

#include "app/library/records.h"
#include "app/store/database.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// "Part 3 of the prepared context 12 is damaged: prepare its document again."
std::string damagedPartSentence(RecordId contextId, std::string_view part);

/// Reads a stored value and compares it with its length and checksum. `table`, with the columns
/// bytes, checksum and data, is a constant of ours; `row` its rowid. Errors: Damaged, with the
/// sentence above.
std::vector<std::byte> readChecked(const Database& database, const char* table, RecordId row,
                                   RecordId contextId, std::size_t index, std::string_view name);

/// Reads every segment and blob of a context. Empty if all are there (segments 0 to
/// `segments` - 1) and good, else the sentence for the first one that is not.
std::string findDamage(const Database& database, RecordId contextId, std::size_t segments);

} // namespace app
