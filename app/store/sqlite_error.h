#pragma once

#include <filesystem>

struct sqlite3;

namespace app {

/// Throws the engine::Error for the last failure of `handle`, or for `code` where there is no
/// handle. `file` is the database, named in the sentence.
[[noreturn]] void throwSqliteError(sqlite3* handle, int code, const std::filesystem::path& file);

} // namespace app
