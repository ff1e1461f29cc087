#include "app/cli/commands.h"
#include "engine/eval/benchmark.h"

#include <nlohmann/json.hpp>

namespace app {
namespace {

using nlohmann::json;

json rowJson(const engine::BenchmarkRow& row)
{
    return {{"what", row.what},
            {"seconds", row.seconds},
            {"achieved", row.achieved},
            {"limit", row.limit},
            {"fraction", row.fraction()},
            {"unit", row.unit},
            {"tokens_per_second", row.tokensPerSecond}};
}

} // namespace

void bench(const CommonOptions& common, const BenchArguments& arguments)
{
    const Output output = outputOf(common);
    engine::BenchmarkOptions options;
    options.modelPath = arguments.model;
    options.threads = common.threads;
    options.prompts = arguments.prompts;
    options.generate = arguments.generate;
    options.depth = arguments.depth;
    options.attentionTokens = arguments.attention;
    options.restoreTokens = arguments.restore;
    const auto result = engine::runBenchmark(options, [&](const engine::BenchmarkRow& row) {
        output.progress(row.what + ": " + percentText(row.fraction()));
    });
    output.endProgress();
    json rows = json::array();
    std::vector<std::vector<std::string>> table{
        {"WHAT", "SECONDS", "TOKENS/S", "ACHIEVED", "LIMIT", "UNIT", "SHARE"}};
    for (const engine::BenchmarkRow& row : result.rows) {
        rows.push_back(rowJson(row));
        table.push_back({row.what, numberText(row.seconds, row.seconds < 0.1 ? 5 : 2),
                         row.tokensPerSecond > 0 ? numberText(row.tokensPerSecond, 1) : "-",
                         numberText(row.achieved, 1), numberText(row.limit, 1), row.unit,
                         percentText(row.fraction())});
    }
    output.line(result.model + " on " + result.device);
    output.line("Limits of this machine: read " + numberText(result.readGigabytesPerSecond, 1) +
                " GB/s, float32 " + numberText(result.fmaGigaflops, 1) + " GFLOP/s, int8 " +
                numberText(result.int8Gigaops, 1) + " Gop/s (a multiply-add is two).");
    output.table(table);
    output.value({{"model", result.model},
                  {"device", result.device},
                  {"limits",
                   {{"read_gb_per_s", result.readGigabytesPerSecond},
                    {"fma_gflops", result.fmaGigaflops},
                    {"int8_gops", result.int8Gigaops}}},
                  {"rows", rows}});
}

} // namespace app
