#pragma once

#include "app/library/records.h"
#include "app/store/database.h"

#include <string>
#include <string_view>

namespace app {

/// The next id. Call it within the transaction that uses the id.
RecordId nextRecordId(Database& library);

Timestamp now();

/// Throws engine::Error (NotFound): "There is no <what> <id> in the library ...".
[[noreturn]] void throwNoSuchRecord(std::string_view what, RecordId id);

/// Paths are stored as the bytes of the file system, which need not be UTF-8.
std::span<const std::byte> pathBytes(const std::filesystem::path& path);
std::filesystem::path pathFromBytes(std::span<const std::byte> bytes);

/// A range from the columns `first` and `first` + 1. Errors: Damaged when it is none.
ByteRange readRange(const Statement& row, int first);

} // namespace app
