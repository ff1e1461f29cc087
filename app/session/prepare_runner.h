#pragma once

#include "app/jobs/prepare_document.h"
#include "app/session/engine_room.h"
#include "app/session/library_room.h"
#include "app/session/remote_prepare_storage.h"

#include <functional>
#include <stop_token>

namespace app {

/// What a preparation job asks for.
struct PrepareRequest
{
    RecordId jobId = 0;
    RecordId documentId = 0;
    std::filesystem::path modelPath;
    engine::PrepareOptions options;
};

/// JobRecord::parameters of a preparation, and back. Throws engine::Error(Damaged).
std::string requestJson(const PrepareRequest& request);
PrepareRequest requestFromJob(const JobRecord& job);

/// Runs one preparation on the engine thread, letting questions in between its blocks.
/// Returns the finished context. Throws engine::Error; Cancelled when stopped.
PreparedDocument runPreparation(EngineRoom& room, EngineThread& engineThread,
                                LibraryThread& library, const PrepareRequest& request,
                                const std::function<void(const PrepareStatus&)>& onProgress,
                                const std::stop_token& stop);

} // namespace app
