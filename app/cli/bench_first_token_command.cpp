#include "app/cli/commands.h"
#include "app/jobs/model_places.h"
#include "engine/eval/first_token_benchmark.h"

#include <nlohmann/json.hpp>

namespace app {
namespace {

using nlohmann::json;

json timeJson(const engine::FirstToken& time)
{
    return {{"reading_seconds", time.reading},
            {"asking_seconds", time.asking},
            {"seconds", time.total()}};
}

} // namespace

void benchFirstToken(const CommonOptions& common, const BenchFirstTokenArguments& arguments)
{
    const Output output = outputOf(common);
    engine::FirstTokenOptions options;
    options.modelPath = arguments.model;
    options.tokenizerFrom = embeddedModel();
    options.load = loadOptions(common);
    options.lengths = arguments.lengths;
    options.select = arguments.select;
    options.layer = arguments.layer;
    options.repeats = arguments.repeats;
    const auto result = engine::benchmarkFirstToken(
        options, [&](const std::string& doing) { output.progress(doing); });
    output.endProgress();

    json rows = json::array();
    std::vector<std::vector<std::string>> table{{"TOKENS", "FULL", "GEMFILTER", "RATIO",
                                                 "BY THE FORMULA", "AS RUN", "ASKING, FULL",
                                                 "ASKING, GEMFILTER"}};
    for (const engine::FirstTokenRow& row : result.rows) {
        rows.push_back({{"tokens", row.tokens},
                        {"question_tokens", row.question},
                        {"full", timeJson(row.full)},
                        {"gemfilter", timeJson(row.filter)},
                        {"ratio", row.measured()},
                        {"ratio_by_formula", row.predicted},
                        {"ratio_by_formula_as_run", row.predictedAsRun}});
        table.push_back({std::to_string(row.tokens), durationText(row.full.total()),
                         durationText(row.filter.total()), numberText(row.measured(), 3),
                         numberText(row.predicted, 3), numberText(row.predictedAsRun, 3),
                         durationText(row.full.asking), durationText(row.filter.asking)});
    }
    output.line(result.model + " on " + result.device);
    output.line("Time from document and question to the first token of the answer: gemfilter with "
                "layer " +
                std::to_string(result.layer) + " of " + std::to_string(result.layers) + " and " +
                std::to_string(result.select) +
                " selected tokens beside full, which ran alternately. By the formula: (r X(n) + L "
                "X(k)) / (L X(n)), X(n) = 2 H d n^2 + 2 P n. As run: with L - 1 for L, since of "
                "the last layer only keys and values are made. Asking: of it, with the document "
                "prepared.");
    output.table(table);
    output.value({{"model", result.model},
                  {"device", result.device},
                  {"layers", result.layers},
                  {"layer", result.layer},
                  {"select", result.select},
                  {"repeats", arguments.repeats},
                  {"rows", rows}});
}

} // namespace app
