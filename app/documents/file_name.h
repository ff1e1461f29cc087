#pragma once

#include <filesystem>
#include <string>

namespace app {

/// The file's name in typographic quotes, for a sentence: “report.pdf”.
/// Names may hold any bytes; what is not printable is replaced, and long names are cut.
std::string quotedName(const std::filesystem::path& file);

/// The file's name without its suffix, as a title; never empty.
std::string titleFromFileName(const std::filesystem::path& file);

} // namespace app
