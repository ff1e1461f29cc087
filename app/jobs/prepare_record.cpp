#include "app/jobs/prepare_record.h"

#include <nlohmann/json.hpp>

namespace app {

std::string settingsJson(const engine::PrepareOptions& options)
{
    nlohmann::json json{{"method", options.method},
                        {"keep", options.keep},
                        {"store", engine::storeFormatName({options.store, options.coded})},
                        {"settings", options.settings},
                        {"block", options.blockRows}};
    if (options.budget)
        json["budget"] = *options.budget;
    if (!options.systemText.empty())
        json["system"] = options.systemText;
    for (const engine::ByteRange& range : options.pinned)
        json["pinned"].push_back({range.begin, range.end});
    if (!options.headTable.empty())
        json["head_table"] = options.headTable;
    if (!options.question.empty())
        json["question"] = options.question;
    return json.dump();
}

engine::PrepareOptions optionsFromJson(const std::string& text)
{
    try {
        const auto json = nlohmann::json::parse(text);
        engine::PrepareOptions options;
        options.method = json.at("method").get<std::string>();
        options.keep = json.at("keep").get<double>();
        const auto format = engine::parseStoreFormat(json.at("store").get<std::string>());
        options.store = format.type;
        options.coded = format.coded;
        options.settings = json.at("settings").get<std::map<std::string, double>>();
        options.blockRows = json.at("block").get<std::uint32_t>();
        if (json.contains("budget"))
            options.budget = json["budget"].get<std::uint64_t>();
        options.systemText = json.value("system", "");
        options.headTable = json.value("head_table", "");
        for (const auto& range : json.value("pinned", nlohmann::json::array()))
            options.pinned.push_back(
                {range.at(0).get<std::uint32_t>(), range.at(1).get<std::uint32_t>()});
        options.question = json.value("question", "");
        return options;
    } catch (const nlohmann::json::exception& error) {
        throw engine::Error(engine::ErrorCode::Damaged,
                            "The stored settings of a preparation cannot be read. Prepare the "
                            "document again.",
                            error.what());
    }
}

ContextRecord makeContextRecord(RecordId documentId, const engine::LoadedModel& model,
                                const engine::PrepareOptions& options)
{
    ContextRecord record;
    record.documentId = documentId;
    record.modelName = engine::modelInfo(model).name;
    record.modelPath = engine::modelInfo(model).path;
    record.modelHash = engine::modelIdentity(model);
    record.method = options.method;
    record.settings = settingsJson(options);
    record.keep = options.keep;
    record.storeType = engine::storeFormatName({options.store, options.coded});
    return record;
}

void fillResult(ContextRecord& record, const engine::ContextInfo& info)
{
    record.tokens = static_cast<std::int64_t>(info.tokens);
    record.keptFraction = info.keptFraction;
    record.bytesFull = static_cast<std::int64_t>(info.bytesFull);
    record.bytesStored = static_cast<std::int64_t>(info.bytesStored);
    record.peakBytes = static_cast<std::int64_t>(info.peakBytes);
    record.seconds = info.seconds;
}

std::string ledgerJson(const std::vector<engine::MemorySample>& ledger)
{
    auto json = nlohmann::json::array();
    for (const engine::MemorySample& sample : ledger) {
        json.push_back({{"seconds", sample.seconds},
                        {"phase", sample.phase},
                        {"weights", sample.weights},
                        {"keys_values", sample.keyValues},
                        {"scores", sample.scores},
                        {"buffers", sample.buffers},
                        {"process", sample.process}});
    }
    return json.dump();
}

} // namespace app
