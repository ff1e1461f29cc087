#include "engine/dialog/prepare_options.h"
#include "engine/methods/head_scores.h"
#include "engine/methods/head_table.h"
#include "engine/methods/method.h"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace engine {
namespace {

constexpr std::size_t kSmallestSample = 64; // tokens

/// Everything of the sample is repeated, and something has to be dropped or nothing is measured.
DocumentPlan planOf(LoadedModel& model, const PromptTokens& prompts, std::string_view sample,
                    const TokenisedText& tokens)
{
    PrepareOptions options;
    options.method = "kvzip-head";
    options.keep = 0.5;
    options.settings = {{"sample", 1048576}};
    return makePlan(model, prompts, sample, tokens, options);
}

/// Empty for what is no file.
std::string textOf(const std::filesystem::path& path)
{
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored))
        return {};
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

std::string usualHeadTable(const LoadedModel& model, const PrepareOptions& options)
{
    const MethodEntry entry = findMethod(options.method);
    if (!options.headTable.empty() || !entry.takesHeadTable)
        return options.headTable;
    const std::string table =
        textOf(std::filesystem::path(model.info().path).replace_extension(".heads"));
    if (table.empty())
        return {};
    try {
        readHeadTable(table, headTableOrigin(model));
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Mismatch)
            return {};
        throw;
    }
    return table;
}

std::string measureHeadTable(const std::shared_ptr<LoadedModel>& model, std::string_view sample,
                             const std::function<void(const PrepareProgress&)>& onProgress,
                             const std::stop_token& stop)
{
    const PromptTokens prompts(*model, {}, false);
    const TokenisedText tokens = prompts.document(sample);
    if (tokens.ids.size() < kSmallestSample) {
        throw Error(ErrorCode::BadInput,
                    "The sample for the head table has " + std::to_string(tokens.ids.size()) +
                        " tokens. Give a text of at least " + std::to_string(kSmallestSample) +
                        " tokens; some thousands are better.");
    }
    const DocumentPlan plan = planOf(*model, prompts, sample, tokens);
    KvStore store(model->kvShape(), KvType::F16);
    HeadMeasurement measurement(plan);
    std::uint64_t done = 0;
    std::string phase;
    while (auto job = measurement.nextJob(store)) {
        if (job->phase != phase)
            done = 0;
        phase = job->phase;
        model->transformer().run(*job, store, measurement, stop);
        measurement.onJobEnd(*job, store);
        done += job->documentTokens;
        if (onProgress) {
            onProgress({phase, done, plan.documentRows(),
                        measurement.doneCost() / measurement.totalCost()});
        }
    }
    if (!measurement.warnings().empty())
        throw Error(ErrorCode::Damaged, measurement.warnings().front());
    return writeHeadTable(headTableOrigin(*model), measurement.scores());
}

} // namespace engine
