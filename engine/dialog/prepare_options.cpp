#include "engine/dialog/prepare_options.h"

namespace engine {

void checkPrepareOptions(const PrepareOptions& options)
{
    if (!(options.keep > 0.0 && options.keep <= 1.0)) {
        throw Error(ErrorCode::BadInput,
                    "The share to keep must be above 0 and at most 1, for instance 0.3.");
    }
    if (options.budget && *options.budget == 0) {
        throw Error(ErrorCode::BadInput,
                    "The budget must be at least one pair per head, for instance 4096.");
    }
    if (options.blockRows < 16 || options.blockRows > 4096) {
        throw Error(ErrorCode::BadInput, "A block must have between 16 and 4096 tokens.");
    }
}

void checkFits(const LoadedModel& model, std::size_t prefixTokens, std::size_t documentTokens)
{
    const std::uint32_t window = model.config().contextLength;
    if (documentTokens == 0) {
        throw Error(
            ErrorCode::BadInput,
            "The document has no text to prepare. If it is a scan, run text recognition first.");
    }
    if (prefixTokens + documentTokens + kRoomForQuestion > window) {
        throw Error(ErrorCode::TooLarge,
                    "The document has " + std::to_string(documentTokens) + " tokens, but " +
                        model.info().name + " was trained for a window of " +
                        std::to_string(window) +
                        ". Choose a model with a longer window, or split the document.");
    }
}

DocumentPlan makePlan(LoadedModel& model, const PromptTokens& prompts, std::string_view text,
                      const TokenisedText& tokens, const PrepareOptions& options)
{
    const ModelConfig& config = model.config();
    DocumentPlan plan;
    plan.prefix = prompts.prefix();
    plan.document = tokens.ids;
    plan.layers = config.layers;
    plan.kvHeads = config.kvHeads;
    plan.headDim = config.headDim;
    plan.vocabularySize = config.vocabularySize;
    plan.contextLength = config.contextLength;
    plan.blockRows = options.blockRows;
    plan.keep = options.keep;
    plan.budget = options.budget;
    plan.settings = completeSettings(findMethod(options.method).info, options.settings);
    plan.ropeMagnitude = model.transformer().ropeTable().magnitude;
    plan.turn = [&prompts](const std::string& instruction) {
        return prompts.turn({}, instruction);
    };
    plan.text = [text, &tokens](std::uint32_t begin, std::uint32_t end) {
        const std::uint32_t first = tokens.ranges[begin].begin;
        return std::string(text.substr(first, tokens.ranges[end - 1].end - first));
    };
    plan.beacon = [&model]() -> const BeaconParameters& { return model.beacon(); };
    plan.rotate = [&model](std::span<float> keys, std::span<const std::int32_t> deltas) {
        const RopeTable& table = model.transformer().ropeTable();
        model.backend().rope(keys, deltas, table.frequencies, 1, model.config().headDim,
                             model.config().pairing, 1.0F);
    };
    return plan;
}

} // namespace engine
