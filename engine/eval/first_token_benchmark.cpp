#include "engine/eval/first_token_benchmark.h"

#include "engine/dialog/context.h"
#include "engine/dialog/prompt_tokens.h"
#include "engine/eval/made_up_text.h"
#include "engine/eval/random_model_file.h"
#include "engine/methods/gemfilter_answer.h"
#include "engine/model/model.h"

#include <algorithm>
#include <chrono>

namespace engine {
namespace {

constexpr const char* kQuestion = "What follows?";
constexpr std::uint32_t kRoom = 1024; // of the window for prefix and question

struct Run
{
    FirstToken time;
    std::shared_ptr<const Context> context;
};

Run runOnce(const std::shared_ptr<LoadedModel>& model, const std::string& text,
            const PrepareOptions& options)
{
    Run run;
    Preparation preparation(model, text, options);
    const auto start = std::chrono::steady_clock::now();
    while (preparation.advance())
        preparation.takeCheckpoint();
    run.time.reading =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    run.context = preparation.finish();
    Conversation conversation(model, run.context);
    run.time.asking = conversation.ask(kQuestion, {.maxTokens = 1}, {}).firstTokenSeconds;
    return run;
}

void keepLeast(FirstToken& least, const FirstToken& time)
{
    if (least.total() == 0 || time.total() < least.total())
        least = time;
}

void check(const FirstTokenOptions& options, std::uint64_t window)
{
    const std::uint64_t most = window - std::min<std::uint64_t>(window, kRoom);
    for (const std::uint32_t length : options.lengths) {
        if (length < 256 || length > most) {
            throw Error(ErrorCode::BadInput, "A length to measure must be between 256 and " +
                                                 std::to_string(most) +
                                                 " tokens, which the model's window leaves.");
        }
    }
    if (options.lengths.empty() || options.repeats < 1 || options.repeats > 100)
        throw Error(ErrorCode::BadInput,
                    "There must be a length to measure, and between 1 and 100 repetitions.");
}

} // namespace

double filteredShare(const ModelConfig& model, std::uint32_t layers, std::uint32_t layer,
                     std::uint64_t tokens, std::uint64_t selected)
{
    const double weights = static_cast<double>(model.width) *
                           (2.0 * model.heads * model.headDim +
                            2.0 * model.kvHeads * model.headDim + 3.0 * model.ffnWidth);
    const auto work = [&](std::uint64_t count) {
        const auto n = static_cast<double>(count);
        return 2.0 * model.heads * model.headDim * n * n + 2.0 * weights * n;
    };
    return (layer * work(tokens) + layers * work(std::min(selected, tokens))) /
           (layers * work(tokens));
}

FirstTokenResult
benchmarkFirstToken(const FirstTokenOptions& options,
                    const std::function<void(const std::string& doing)>& onProgress)
{
    std::optional<RandomModelFile> made;
    if (options.modelPath.empty())
        made.emplace(smallShape(), options.tokenizerFrom);
    const auto model = loadModel(made ? made->path() : options.modelPath, options.load);
    check(options, modelInfo(*model).contextLength);
    PrepareOptions full;
    full.method = "full";
    full.store = KvType::F16;
    PrepareOptions filter = full;
    filter.method = "gemfilter";
    filter.settings = {{"select", options.select}, {"layer", options.layer}};

    // Bad settings are refused before anything is measured.
    const Preparation tried(model, denseText(tokenizerOf(*model), 256), filter);

    FirstTokenResult result;
    result.model = modelInfo(*model).name;
    result.device = deviceSentence(*model);
    result.layers = model->config().layers;
    result.select = static_cast<std::uint32_t>(options.select);
    for (const std::uint32_t length : options.lengths) {
        const std::string text = denseText(tokenizerOf(*model), length);
        FirstTokenRow row;
        for (std::uint32_t repeat = 0; repeat < options.repeats; ++repeat) {
            if (onProgress)
                onProgress(std::to_string(length) + " tokens, " + std::to_string(repeat + 1));
            keepLeast(row.full, runOnce(model, text, full).time);
            const Run run = runOnce(model, text, filter);
            keepLeast(row.filter, run.time);
            const auto state = GemFilterState::read(run.context->methodState());
            result.layer = state.layer;
            row.tokens = state.prefix.size() + state.document.size();
        }
        row.question = PromptTokens(*model, "", false).turn({}, kQuestion).size();
        const std::uint64_t rows = row.tokens + row.question;
        row.predicted =
            filteredShare(model->config(), result.layers, result.layer, rows, result.select);
        row.predictedAsRun =
            filteredShare(model->config(), result.layers - 1, result.layer, rows, result.select);
        result.rows.push_back(row);
    }
    return result;
}

} // namespace engine
