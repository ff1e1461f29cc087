#pragma once

#include <poppler-qt6.h>

#include <filesystem>
#include <memory>

namespace app {

/// Opens a PDF for reading and rendering, silently (no messages on the terminal).
/// File names may hold any bytes. The document stays usable when the file is renamed.
/// @throws engine::Error NotFound, Damaged, or Unsupported where a password is needed.
std::unique_ptr<Poppler::Document> openPdf(const std::filesystem::path& file);

} // namespace app
