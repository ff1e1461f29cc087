#include "app/session/prepare_runner.h"

#include "app/jobs/prepare_record.h"

#include <nlohmann/json.hpp>

namespace app {

std::string requestJson(const PrepareRequest& request)
{
    return nlohmann::json{{"model", request.modelPath.string()},
                          {"options", settingsJson(request.options)}}
        .dump();
}

PrepareRequest requestFromJob(const JobRecord& job)
{
    try {
        const auto json = nlohmann::json::parse(job.parameters);
        return {job.id, job.documentId, json.at("model").get<std::string>(),
                optionsFromJson(json.at("options").get<std::string>())};
    } catch (const nlohmann::json::exception& error) {
        throw engine::Error(engine::ErrorCode::Damaged,
                            "A stored job cannot be read. Prepare the document again.",
                            error.what());
    }
}

PreparedDocument runPreparation(EngineRoom& room, EngineThread& engineThread,
                                LibraryThread& library, const PrepareRequest& request,
                                const std::function<void(const PrepareStatus&)>& onProgress,
                                const std::stop_token& stop)
{
    const auto model = room.model(request.modelPath);
    const std::string text =
        library.call([&](Library& books) { return books.text(request.documentId); });
    RemotePrepareStorage storage(library);
    return prepareDocument(
        storage, request.documentId, text, model, request.options,
        [&](const PrepareStatus& status) {
            onProgress(status);
            engineThread.runWaiting(room);
        },
        stop);
}

} // namespace app
