#include "app/cli/commands.h"
#include "app/jobs/model_places.h"
#include "engine/eval/method_benchmark.h"

#include <nlohmann/json.hpp>

namespace app {
namespace {

using nlohmann::json;

constexpr std::uint32_t kWantedDepth = 65536;
constexpr double kWantedKeep = 0.25;

/// "<= 1.05, reached", "<= 1.05, missed", or nothing where nothing was set out.
std::string prefillVerdict(const engine::MethodBenchmarkRow& row)
{
    const double wanted = engine::wantedPrefillRatio(row.method);
    if (wanted == 0)
        return "-";
    return "<= " + numberText(wanted, 2) + (row.prefillRatio <= wanted ? ", reached" : ", missed");
}

bool hasWantedDecode(const engine::DecodeSpeed& speed, double keep)
{
    return speed.depth == kWantedDepth && keep == kWantedKeep;
}

std::string decodeText(const engine::DecodeSpeed& speed, double keep)
{
    std::string ratio = numberText(speed.ratio(), 2);
    if (!hasWantedDecode(speed, keep))
        return ratio;
    return ratio + " (>= " + numberText(engine::kWantedDecodeRatio, 1) +
           (speed.ratio() >= engine::kWantedDecodeRatio ? ", reached)" : ", missed)");
}

json rowJson(const engine::MethodBenchmarkRow& row)
{
    json each{{"method", row.method}};
    if (!row.refusal.empty()) {
        each["refusal"] = row.refusal;
        return each;
    }
    each["prefill_seconds"] = row.prefillSeconds;
    each["prefill_seconds_full"] = row.fullSeconds;
    each["prefill_ratio"] = row.prefillRatio;
    each["prefill_work_ratio"] = row.prefillWorkRatio;
    if (row.firstPrefillRatio > 0)
        each["prefill_ratio_first"] = row.firstPrefillRatio;
    if (const double wanted = engine::wantedPrefillRatio(row.method); wanted > 0)
        each["prefill_ratio_wanted"] = wanted;
    each["bytes_ratio"] = row.bytesRatio;
    each["decode"] = json::array();
    for (const engine::DecodeSpeed& speed : row.decode)
        each["decode"].push_back({{"depth", speed.depth},
                                  {"tokens_per_second", speed.method},
                                  {"tokens_per_second_full", speed.full},
                                  {"ratio", speed.ratio()}});
    return each;
}

std::vector<std::string> rowTexts(const engine::MethodBenchmarkRow& row, double keep,
                                  std::size_t depths)
{
    std::vector<std::string> texts{row.method};
    if (!row.refusal.empty()) {
        texts.resize(5 + depths, "-");
        texts[1] = "refused";
        return texts;
    }
    texts.push_back(numberText(row.prefillRatio, 2));
    texts.push_back(numberText(row.prefillWorkRatio, 2));
    texts.push_back(prefillVerdict(row));
    texts.push_back(percentText(row.bytesRatio));
    for (const engine::DecodeSpeed& speed : row.decode)
        texts.push_back(decodeText(speed, keep));
    return texts;
}

} // namespace

void benchMethods(const CommonOptions& common, const BenchMethodsArguments& arguments)
{
    const Output output = outputOf(common);
    engine::MethodBenchmarkOptions options;
    options.methods = arguments.methods;
    if (!arguments.settings.empty()) {
        if (arguments.methods.size() != 1) {
            throw engine::Error(engine::ErrorCode::BadInput,
                                "A setting belongs to one method. Name one behind --methods, for "
                                "instance --methods pod --set skip=70.");
        }
        options.settings = parseSettings(arguments.methods.front(), arguments.settings);
    }
    options.modelPath = arguments.model;
    options.largeShape = arguments.shape == "1b";
    options.tokenizerFrom = embeddedModel();
    options.load = loadOptions(common);
    options.keep = arguments.keep;
    options.store = engine::parseKvType(arguments.store);
    options.prefillTokens = arguments.prefill;
    options.depths = arguments.depths;
    options.repeats = arguments.repeats;
    const auto result = engine::benchmarkMethods(
        options, [&](const std::string& doing) { output.progress(doing); });
    output.endProgress();

    json rows = json::array();
    std::vector<std::vector<std::string>> table{
        {"METHOD", "PREFILL / FULL", "PROCESSOR TIME", "WANTED", "BYTES / FULL"}};
    for (const std::uint32_t depth : arguments.depths)
        table.front().push_back("DECODE / FULL AT " + std::to_string(depth));
    for (const engine::MethodBenchmarkRow& row : result.rows) {
        rows.push_back(rowJson(row));
        table.push_back(rowTexts(row, arguments.keep, arguments.depths.size()));
    }
    output.line(result.model + " on " + result.device);
    output.line("Prefill of " + std::to_string(result.tokens) + " tokens, keep " +
                numberText(arguments.keep, 2) + ", store " + arguments.store +
                "; every figure is a ratio to full, which ran alternately, median of " +
                std::to_string(arguments.repeats) + ".");
    output.table(table);
    for (const engine::MethodBenchmarkRow& row : result.rows) {
        if (row.firstPrefillRatio > 0)
            output.line(row.method + ": " + numberText(row.firstPrefillRatio, 2) +
                        " times full for the first document of a model, whose bias table is "
                        "measured on it and kept.");
        if (!row.refusal.empty())
            output.line(row.method + " was refused: " + row.refusal);
    }
    output.value({{"model", result.model},
                  {"device", result.device},
                  {"prefill_tokens", result.tokens},
                  {"keep", arguments.keep},
                  {"store", arguments.store},
                  {"repeats", arguments.repeats},
                  {"decode_ratio_wanted", engine::kWantedDecodeRatio},
                  {"methods", rows}});
}

} // namespace app
