#include "app/cli/commands.h"
#include "engine/error.h"

#include <cctype>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>

namespace app {
namespace {

using nlohmann::json;

/// Facts and kept counts of a stored context, read from its artefact without loading the model.
struct Inspection
{
    engine::ContextInfo info;
    std::vector<std::uint32_t> counts; // [layer][head]
    std::vector<std::uint16_t> retention;
};

Inspection readInspection(const Library& library, RecordId id)
{
    Inspection inspection;
    const auto header = library.readSegment(id, 0);
    inspection.info = engine::readContextInfo(std::span<const std::byte>(header));
    inspection.counts = engine::readKeptCounts(header);
    if (const auto blob = library.contextBlob(id, "retention")) {
        inspection.retention.resize(blob->size() / sizeof(std::uint16_t));
        std::memcpy(inspection.retention.data(), blob->data(),
                    inspection.retention.size() * sizeof(std::uint16_t));
    }
    return inspection;
}

json ledgerOf(const Library& library, RecordId id)
{
    const auto blob = library.contextBlob(id, "ledger");
    if (!blob)
        return json::array();
    return json::parse(reinterpret_cast<const char*>(blob->data()),
                       reinterpret_cast<const char*>(blob->data()) + blob->size(), nullptr, false);
}

/// Mean share of cells that kept the tokens of each of up to `parts` equal pieces of the document.
std::vector<double> shares(const Inspection& inspection, std::size_t parts)
{
    const double cells = static_cast<double>(inspection.info.layers) * inspection.info.kvHeads;
    const std::size_t tokens = inspection.retention.size();
    std::vector<double> result;
    for (std::size_t part = 0; part < std::min(parts, tokens); ++part) {
        const std::size_t begin = part * tokens / parts;
        const std::size_t end = std::max(begin + 1, (part + 1) * tokens / parts);
        double sum = 0;
        for (std::size_t token = begin; token < end; ++token)
            sum += inspection.retention[token];
        result.push_back(sum / cells / static_cast<double>(end - begin));
    }
    return result;
}

/// `bytesStored`: what the library holds, as `contexts` lists it.
void printForPerson(const Output& output, const Inspection& inspection, const json& ledger,
                    std::uint64_t bytesStored)
{
    const engine::ContextInfo& info = inspection.info;
    output.line("Prepared with " + info.modelName + ", method " + info.method + ", store " +
                engine::storeFormatName({info.store, info.coded}) + ": " +
                percentText(info.keptFraction) + " of " + std::to_string(info.tokens) +
                " tokens kept in " + bytesText(bytesStored) + " (uncompressed " +
                bytesText(info.bytesFull) + ").");
    output.line("Kept tokens per layer and head:");
    std::vector<std::vector<std::string>> rows(1, {"layer"});
    for (std::uint32_t head = 0; head < info.kvHeads; ++head)
        rows[0].push_back("head " + std::to_string(head));
    for (std::uint32_t layer = 0; layer < info.layers; ++layer) {
        rows.push_back({std::to_string(layer)});
        for (std::uint32_t head = 0; head < info.kvHeads; ++head)
            rows.back().push_back(std::to_string(inspection.counts[layer * info.kvHeads + head]));
    }
    output.table(rows);
    output.line("Kept share along the document, in twentieths:");
    std::string line;
    for (const double share : shares(inspection, 20))
        line += (line.empty() ? "" : " ") + numberText(share * 100, 0) + "%";
    output.line(line);
    if (ledger.is_array() && !ledger.empty()) {
        const json& last = ledger.back();
        output.line("Memory at the end of preparing: weights " +
                    bytesText(last.value("weights", 0ULL)) + ", keys and values " +
                    bytesText(last.value("keys_values", 0ULL)) + ", scores " +
                    bytesText(last.value("scores", 0ULL)) + ", buffers " +
                    bytesText(last.value("buffers", 0ULL)) + "; process peak " +
                    bytesText(info.peakBytes) + ".");
    }
}

} // namespace

void inspectContext(const CommonOptions& common, RecordId context)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadOnly);
    const ContextRecord record = library->context(context);
    if (record.state != ContextState::Ready) {
        throw engine::Error(engine::ErrorCode::BadInput,
                            "Context " + std::to_string(context) +
                                " is not ready. Prepare the document again.");
    }
    const Inspection inspection = readInspection(*library, context);
    const json ledger = ledgerOf(*library, context);
    const engine::ContextInfo& info = inspection.info;
    json kept = json::array();
    for (std::uint32_t layer = 0; layer < info.layers; ++layer) {
        const auto heads =
            std::span(inspection.counts).subspan(std::size_t{layer} * info.kvHeads, info.kvHeads);
        kept.push_back(std::vector<std::uint32_t>(heads.begin(), heads.end()));
    }
    const double cells = static_cast<double>(info.layers) * info.kvHeads;
    json settings = json::object();
    for (const auto& [key, value] : info.settings) {
        const std::string text = engine::settingText(info.method, key, value);
        settings[key] =
            std::isalpha(static_cast<unsigned char>(text.front())) != 0 ? json(text) : json(value);
    }
    std::vector<double> shareOfToken;
    for (const std::uint16_t count : inspection.retention)
        shareOfToken.push_back(count / cells);
    output.value({{"context", context},
                  {"model", info.modelName},
                  {"method", info.method},
                  {"settings", settings},
                  {"rope", info.rope},
                  {"window", info.window},
                  {"store", engine::storeFormatName({info.store, info.coded})},
                  {"tokens", info.tokens},
                  {"kept_fraction", info.keptFraction},
                  {"bytes_full", info.bytesFull},
                  {"bytes_stored", record.bytesStored},
                  {"peak_bytes", info.peakBytes},
                  {"kept_per_layer_and_head", kept},
                  {"kept_share_per_token", shareOfToken},
                  {"ledger", ledger}});
    printForPerson(output, inspection, ledger, static_cast<std::uint64_t>(record.bytesStored));
}

} // namespace app
