#include "engine/dialog/prepare_options.h"

#include "engine/methods/block_plan.h"
#include "engine/methods/rope_settings.h"
#include "engine/model/output_norms.h"

#include <algorithm>

namespace engine {
namespace {

/// The tokens of which any byte is pinned, as ascending ranges that do not touch.
std::vector<kernels::EntryRange> pinnedTokens(std::vector<ByteRange> pinned, std::size_t textBytes,
                                              const TokenisedText& tokens)
{
    std::ranges::sort(pinned, {}, &ByteRange::begin);
    std::vector<kernels::EntryRange> ranges;
    for (const ByteRange& bytes : pinned) {
        if (bytes.begin >= bytes.end || bytes.end > textBytes) {
            throw Error(ErrorCode::BadInput,
                        "A part of the document can be pinned from byte 0 to " +
                            std::to_string(textBytes) + ", not from " +
                            std::to_string(bytes.begin) + " to " + std::to_string(bytes.end) + ".");
        }
        const auto first = std::ranges::partition_point(
            tokens.ranges, [&](const ByteRange& each) { return each.end <= bytes.begin; });
        const auto last = std::ranges::partition_point(
            tokens.ranges, [&](const ByteRange& each) { return each.begin < bytes.end; });
        const auto begin = static_cast<std::uint32_t>(first - tokens.ranges.begin());
        const auto end = static_cast<std::uint32_t>(last - tokens.ranges.begin());
        if (!ranges.empty() && begin <= ranges.back().end)
            ranges.back().end = std::max(ranges.back().end, end);
        else if (begin < end)
            ranges.push_back({begin, end});
    }
    return ranges;
}

std::vector<float> headScoresOf(const LoadedModel& model, const MethodEntry& entry,
                                const std::string& table)
{
    if (table.empty())
        return {};
    if (!entry.takesHeadTable) {
        throw Error(ErrorCode::BadInput, "The method " + entry.info.id +
                                             " uses no head table. Leave it out, or choose "
                                             "kvzip-head or duo-attention.");
    }
    return readHeadTable(table, headTableOrigin(model));
}

void checkFits(const ModelConfig& model, const DocumentPlan& plan, const MethodEntry& entry)
{
    const std::uint64_t positions = entry.positions ? entry.positions(plan) : plan.totalRows();
    if (positions + kRoomForQuestion <= plan.contextLength)
        return;
    const std::string stretched =
        plan.contextLength == model.contextLength
            ? ""
            : " (stretched to " + std::to_string(plan.contextLength) + ")";
    throw Error(ErrorCode::TooLarge,
                "The document has " + std::to_string(plan.documentRows()) + " tokens, but " +
                    model.name + " was trained for a window of " +
                    std::to_string(model.contextLength) + stretched +
                    ". Use the method parallel-windows, which reads in windows and has room for "
                    "any document, stretch the window with rope scaling (--set rope=yarn), or "
                    "choose a model with a longer window.");
}

} // namespace

HeadTableOrigin headTableOrigin(const LoadedModel& model)
{
    const ModelConfig& config = model.config();
    return {model.identity(), config.rope.canonical(), config.layers, config.kvHeads};
}

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

DocumentPlan makePlan(LoadedModel& model, const PromptTokens& prompts, std::string_view text,
                      const TokenisedText& tokens, const PrepareOptions& options)
{
    const ModelConfig& config = model.config();
    const MethodEntry entry = findMethod(options.method);
    if (tokens.ids.empty()) {
        throw Error(
            ErrorCode::BadInput,
            "The document has no text to prepare. If it is a scan, run text recognition first.");
    }
    DocumentPlan plan;
    plan.prefix = prompts.prefix();
    plan.document = tokens.ids;
    plan.layers = config.layers;
    plan.kvHeads = config.kvHeads;
    plan.headDim = config.headDim;
    plan.width = config.width;
    plan.vocabularySize = config.vocabularySize;
    plan.contextLength = config.contextLength;
    plan.blockRows = boundedBlockRows(plan, options.blockRows);
    plan.keep = options.keep;
    plan.budget = options.budget;
    plan.turn = [&prompts](const std::string& instruction) {
        return prompts.turn({}, instruction);
    };
    plan.beacon = [&model]() -> const BeaconParameters& { return model.beacon(); };
    plan.question = options.question;
    plan.biasTable = options.biasTable;
    plan.biasTables = options.biasTables;
    plan.settings = completeSettings(entry.info, options.settings);
    resolveRopeFactor(plan, config, entry, kRoomForQuestion);
    checkFits(config, plan, entry);
    plan.modelIdentity = model.identity();
    plan.rope = ropeOf(config, plan.settings).canonical();
    plan.pinned = pinnedTokens(options.pinned, text.size(), tokens);
    checkPinned(entry, plan.pinned);
    plan.headScores = headScoresOf(model, entry, options.headTable);
    plan.text = [text, &tokens](std::uint32_t begin, std::uint32_t end) {
        const std::uint32_t first = tokens.ranges[begin].begin;
        return std::string(text.substr(first, tokens.ranges[end - 1].end - first));
    };
    const RopeTable table = makeRopeTable(ropeOf(config, plan.settings));
    plan.ropeMagnitude = table.magnitude;
    plan.rotate = [&model, frequencies = table.frequencies](std::span<float> keys,
                                                            std::span<const std::int32_t> deltas) {
        model.backend().rope(keys, deltas, frequencies, 1, model.config().headDim,
                             model.config().pairing, 1.0F);
    };
    plan.run = [&model, rope = std::make_shared<const RopeTable>(table)](Job job, KvStore& store,
                                                                         Hooks& hooks) {
        store.setRope(rope);
        return model.transformer().run(std::move(job), store, hooks);
    };
    plan.parallelFor = [&model](std::size_t count, std::size_t grain,
                                const std::function<void(std::size_t, std::size_t)>& work) {
        model.backend().parallelFor(count, grain, work);
    };
    plan.projectedNorms =
        [norms = std::make_shared<OutputNorms>(model.backend(), model.weights(), model.config())](
            std::uint32_t layer, std::uint32_t kvHead, std::span<const float> values) {
            return norms->of(layer, kvHead, values);
        };
    return plan;
}

} // namespace engine
