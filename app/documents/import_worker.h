#pragma once

#include "app/documents/imported_document.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string_view>

namespace app {

/// The hidden first argument with which the program starts itself as a reader; the file is the
/// second.
inline constexpr std::string_view kImportWorkerArgument = "--import-worker";

struct WorkerLimits
{
    std::chrono::milliseconds patience{60'000}; // for the next page, by the clock
};

/// Address space of the child.
inline constexpr std::uint64_t kWorkerMemoryBytes = std::uint64_t{2} << 30;

/// The child's whole life: confines itself, reads `file`, writes messages to standard output.
/// Returns the exit code: 0 also for a file that is refused, which is a message like others.
/// Call it from main() before anything else is set up.
int runImportWorker(const std::filesystem::path& file);

/// Reads a file from elsewhere in a process of its own, so that no file can bring down or take over
/// the program. `executable` is this program (see kImportWorkerArgument). Blocks; `onProgress` is
/// called from this thread, once a page, and may be empty.
/// @throws engine::Error with one sentence: what the reader refuses; Damaged if the reader stops
/// unexpectedly, naming the page; TooLarge if a page takes too long; Cancelled within a fraction of
/// a second of `stop`.
ImportedDocument importInWorker(const std::filesystem::path& executable,
                                const std::filesystem::path& file,
                                const std::function<void(const ImportProgress&)>& onProgress,
                                std::stop_token stop, const WorkerLimits& limits = {});

} // namespace app
