#include "app/cli/commands.h"
#include "app/jobs/models.h"

#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace app {
namespace {

using nlohmann::json;

json modelJson(const engine::ModelInfo& info)
{
    return {{"path", info.path.string()},
            {"name", info.name},
            {"architecture", info.architecture},
            {"type", info.fileType},
            {"bytes", info.fileBytes},
            {"parameters", info.parameters},
            {"layers", info.layers},
            {"width", info.width},
            {"heads", info.heads},
            {"kv_heads", info.kvHeads},
            {"head_size", info.headDim},
            {"window", info.contextLength},
            {"vocabulary", info.vocabularySize},
            {"kv_bytes_per_token", info.kvBytesPerToken},
            {"chat_template", info.hasChatTemplate},
            {"supported", info.supported},
            {"reason", info.unsupportedReason}};
}

} // namespace

void listModels(const CommonOptions& common)
{
    const Output output = outputOf(common);
    const std::filesystem::path data =
        common.dataDir.empty() ? defaultDataDirectory() : std::filesystem::path(common.dataDir);
    json list = json::array();
    std::vector<std::vector<std::string>> rows{
        {"NAME", "KIND", "TYPE", "SIZE", "WINDOW", "CAN BE USED", "FILE"}};
    for (const FoundModel& model : findModels(data)) {
        json each = modelJson(model.info);
        each["embedded"] = model.embedded;
        list.push_back(each);
        rows.push_back({model.info.name, model.info.architecture, model.info.fileType,
                        bytesText(model.info.fileBytes), std::to_string(model.info.contextLength),
                        model.info.supported ? "yes" : "no", model.info.path.string()});
    }
    output.value({{"models", list}});
    if (list.empty()) {
        output.line("There is no model on this computer. Put a GGUF file into " +
                    (data / "models").string() + ".");
        return;
    }
    output.table(rows);
    for (const json& each : list) {
        if (!each["supported"].get<bool>())
            output.line(each["reason"].get<std::string>());
    }
}

void showModel(const CommonOptions& common, const std::string& file)
{
    const Output output = outputOf(common);
    const engine::ModelInfo info = engine::readModelInfo(file);
    output.value(modelJson(info));
    output.table(
        {{"Name", info.name},
         {"Architecture", info.architecture},
         {"Weights", info.fileType + ", " + bytesText(info.fileBytes) + ", " +
                         std::to_string(info.parameters) + " parameters"},
         {"Shape", std::to_string(info.layers) + " layers, width " + std::to_string(info.width) +
                       ", " + std::to_string(info.heads) + "/" + std::to_string(info.kvHeads) +
                       " heads of " + std::to_string(info.headDim)},
         {"Window", std::to_string(info.contextLength) + " tokens"},
         {"Memory per token", bytesText(info.kvBytesPerToken) + " at float16"},
         {"Chat template", info.hasChatTemplate ? "yes" : "no"},
         {"Can be used", info.supported ? "yes" : "no: " + info.unsupportedReason}});
    if (!info.description.empty())
        output.line(info.description);
}

void tokenize(const CommonOptions& common, const TokenizeArguments& arguments)
{
    const Output output = outputOf(common);
    std::string text = arguments.text;
    if (text == "-")
        text.assign(std::istreambuf_iterator<char>(std::cin), {});
    const auto file = engine::openTokenizer(arguments.model);
    const auto special =
        arguments.parseSpecial ? engine::SpecialTokens::Parse : engine::SpecialTokens::AsText;
    const auto ids = file->encode(text, special, arguments.addSpecial).ids;
    const std::string back = file->decode(ids, true);
    output.value({{"ids", ids}, {"text", back}});
    std::string line;
    for (const std::int32_t id : ids)
        line += (line.empty() ? "" : ",") + std::to_string(id);
    output.line(line);
}

void printLogits(const CommonOptions& common, const LogitsArguments& arguments)
{
    const Output output = outputOf(common);
    const auto model = engine::loadModel(arguments.model, loadOptions(common));
    const auto logits = engine::logits(*model, arguments.ids, arguments.all);
    const std::size_t vocabulary = engine::modelInfo(*model).vocabularySize;
    if (!arguments.all) {
        output.value({{"logits", logits}});
    } else {
        json rows = json::array();
        for (std::size_t row = 0; row < logits.size() / vocabulary; ++row)
            rows.push_back(std::vector<float>(
                logits.begin() + static_cast<std::ptrdiff_t>(row * vocabulary),
                logits.begin() + static_cast<std::ptrdiff_t>((row + 1) * vocabulary)));
        output.value({{"logits", rows}});
    }
    for (std::size_t i = 0; i < logits.size(); ++i)
        output.line(std::to_string(i % vocabulary) + " " + numberText(logits[i], 6));
}

} // namespace app
