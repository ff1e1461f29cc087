#include "app/cli/commands.h"
#include "app/jobs/model_places.h"
#include "engine/eval/layer_similarity.h"

#include <nlohmann/json.hpp>

namespace app {
namespace {

using engine::LayerSimilarityReport;
using nlohmann::json;

float similarityOf(const LayerSimilarityReport& report, std::uint32_t head, std::uint32_t a,
                   std::uint32_t b)
{
    return report.similarity[(std::size_t{head} * report.layers + a) * report.layers + b];
}

/// The layers of each block, lowest first.
std::vector<std::vector<std::uint32_t>> blocksOf(const LayerSimilarityReport& report,
                                                 std::uint32_t head)
{
    std::vector<std::vector<std::uint32_t>> blocks;
    for (std::uint32_t layer = 0; layer < report.layers; ++layer) {
        if (report.owners[std::size_t{layer} * report.kvHeads + head] == layer)
            blocks.emplace_back();
        blocks.back().push_back(layer);
    }
    return blocks;
}

json headJson(const LayerSimilarityReport& report, std::uint32_t head)
{
    json matrix = json::array();
    for (std::uint32_t a = 0; a < report.layers; ++a) {
        json row = json::array();
        for (std::uint32_t b = 0; b < report.layers; ++b)
            row.push_back(similarityOf(report, head, a, b));
        matrix.push_back(std::move(row));
    }
    return {{"head", head}, {"similarity", std::move(matrix)}, {"blocks", blocksOf(report, head)}};
}

std::vector<std::vector<std::string>> matrixText(const LayerSimilarityReport& report,
                                                 std::uint32_t head)
{
    std::vector<std::vector<std::string>> table{{"LAYER"}};
    for (std::uint32_t a = 0; a < report.layers; ++a) {
        table.front().push_back(std::to_string(a));
        std::vector<std::string> row{std::to_string(a)};
        for (std::uint32_t b = 0; b < report.layers; ++b)
            row.push_back(numberText(static_cast<double>(similarityOf(report, head, a, b)), 2));
        table.push_back(std::move(row));
    }
    return table;
}

std::string blocksText(const LayerSimilarityReport& report, std::uint32_t head)
{
    std::string text;
    for (const std::vector<std::uint32_t>& block : blocksOf(report, head)) {
        text += (text.empty() ? "" : " | ") + std::to_string(block.front());
        if (block.size() > 1)
            text += "-" + std::to_string(block.back());
    }
    return text;
}

} // namespace

void compareLayers(const CommonOptions& common, const LayerSimilarityArguments& arguments)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadOnly);
    const std::string text = library->text(arguments.document);
    const auto settings = parseSettings("pod", arguments.settings);
    // As for "full": whoever has a window for the whole text.
    const auto model = engine::loadModel(usualPreparation({arguments.model, "full"}, text).model,
                                         loadOptions(common));
    const LayerSimilarityReport report = engine::measureLayerSimilarity(model, text, settings);
    const std::string name = engine::modelInfo(*model).name;
    output.line("How alike the layers of " + name + " attend, " + std::to_string(report.layers) +
                " layers of " + std::to_string(report.kvHeads) + " KV heads, by the last " +
                std::to_string(report.rows) + " of the first " + std::to_string(report.tokens) +
                " tokens: 1 less the Jensen-Shannon divergence to base 2.");
    json heads = json::array();
    for (std::uint32_t head = 0; head < report.kvHeads; ++head) {
        heads.push_back(headJson(report, head));
        output.line("\nHead " + std::to_string(head) + ". Blocks of layers that share at " +
                    numberText(report.threshold, 2) + ": " + blocksText(report, head));
        output.table(matrixText(report, head));
    }
    output.line("\n" + std::to_string(report.blocks) + " blocks for " +
                std::to_string(report.layers * report.kvHeads) + " lists: pod saves at most " +
                percentText(report.largestSaving) + " of keys and values, of very long documents.");
    output.value({{"model", name},
                  {"layers", report.layers},
                  {"kv_heads", report.kvHeads},
                  {"tokens", report.tokens},
                  {"rows", report.rows},
                  {"threshold", report.threshold},
                  {"heads", heads},
                  {"blocks", report.blocks},
                  {"largest_saving", report.largestSaving}});
}

} // namespace app
