#pragma once

#include "app/documents/import_sink.h"

#include <filesystem>
#include <functional>
#include <stop_token>

namespace app {

/// Reads a file of any known kind into `sink`; the kind is told by the content, for texts by the
/// suffix.
/// @throws engine::Error with one sentence for the user: missing, folder, empty, too large, unknown
/// kind, and what the readers refuse. No other exception leaves.
void readInto(const std::filesystem::path& file, ImportSink& sink);

/// The checks that need no parser, also made before a worker process is started.
/// @throws engine::Error NotFound, BadInput (folder, device, empty file), TooLarge.
void requireReadableFile(const std::filesystem::path& file);

/// Reads within this process: for tests and for files of one's own. Files from elsewhere belong
/// into importInWorker().
ImportedDocument readDocument(const std::filesystem::path& file,
                              const std::function<void(const ImportProgress&)>& onProgress = {},
                              std::stop_token stop = {});

} // namespace app
