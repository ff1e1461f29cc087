// "scorer+span rule+allocator+compact": any scorer with any way of dividing the places and of
// placing the kept keys, as far as they go together (selection.md 5).

#include "engine/methods/method.h"
#include "engine/methods/sparse_prefill.h"

#include <algorithm>

namespace engine {
namespace {

/// A stage as it is listed, and what it sets.
struct Stage
{
    StageInfo info;
    std::optional<Allocator> allocator;
    std::optional<SpanRule> span;
    bool Stages::*flag = nullptr; // what neither of the two sets
};

// NOLINTNEXTLINE(readability-function-size): one table
const std::vector<Stage>& stageTable()
{
    static const std::vector<Stage> kTable{
        {{"uniform", "allocator", "every head keeps the same number of tokens", "", {}},
         Allocator::Uniform,
         {}},
        {{"adakv",
          "allocator",
          "the heads of a layer share its places by their scores",
          "Feng et al. 2024, arXiv 2407.11550",
          {{"floor", "part of an equal share that every head gets at least (percent)", 0, 100, 20},
           {"variant",
            "0: exact shares; 1: by counts, as the original program, whose sum may differ; 2: by "
            "counts of scores normalised by head",
            0, 2, 0}}},
         Allocator::AdaKv,
         {}},
        {{"pyramid",
          "allocator",
          "lower layers keep more tokens, upper layers fewer",
          "Cai et al. 2024, arXiv 2406.02069",
          {{"beta", "how many times fewer the upper end of the pyramid keeps", 1, 100, 20}}},
         Allocator::Pyramid,
         {}},
        {{"global", "allocator", "one ranking over all layers and heads", "", {}},
         Allocator::Global,
         {}},
        {{"chunkpress",
          "span rule",
          "every chunk of the document is scored and cut on its own, so that all parts are covered",
          "ChunkPress of NVIDIA kvpress",
          {{"chunk", "length of a chunk (tokens)", 16, 1048576, 1024}}},
         {},
         SpanRule::ChunkPress},
        {{"chunkkv",
          "span rule",
          "whole chunks stay, the same for all heads of a layer",
          "Liu et al. 2025, arXiv 2502.00299",
          {{"chunk", "length of a chunk (tokens)", 2, 4096, 20}}},
         {},
         SpanRule::ChunkKv},
        {{"compact",
          "positions",
          "the kept tokens are numbered anew, one behind the other; needs the allocator uniform",
          "",
          {}},
         {},
         {},
         &Stages::compact},
        {{"snapkv",
          "selection",
          "of the distant tokens those stay that the last ones look at; needs the method pod",
          "Li et al. 2024, arXiv 2404.14469",
          {{"votes", "last tokens that vote (tokens)", 1, 4096, 32},
           {"kernel", "neighbours pooled together, odd (tokens)", 1, 63, 5}}},
         {},
         {},
         &Stages::snapkv},
        {{"minference", "prefill",
          "the document is read with a sparse attention; what is scored and kept stays the "
          "method's",
          "Jiang et al. 2024, arXiv 2407.02490", sparsePrefillParameters()},
         {},
         {},
         &Stages::sparsePrefill},
    };
    return kTable;
}

[[noreturn]] void refuse(const std::string& sentence)
{
    throw Error(ErrorCode::BadInput, sentence);
}

std::vector<std::string> split(const std::string& text)
{
    std::vector<std::string> parts(1);
    for (const char each : text) {
        if (each == '+')
            parts.emplace_back();
        else
            parts.back() += each;
    }
    return parts;
}

const MethodEntry& entryOf(const std::string& id)
{
    std::string known;
    for (const MethodEntry& entry : methodTable()) {
        if (entry.info.id == id)
            return entry;
        known += (known.empty() ? "" : ", ") + entry.info.id;
    }
    refuse("There is no method \"" + id + "\". Choose one of: " + known + ".");
}

std::vector<const Stage*> namedStages(const std::vector<std::string>& parts)
{
    std::vector<const Stage*> named;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto found = std::ranges::find(stageTable(), parts[i],
                                             [](const Stage& each) { return each.info.id; });
        if (found == stageTable().end()) {
            std::string known;
            for (const Stage& each : stageTable())
                known += (known.empty() ? "" : ", ") + each.info.id;
            refuse("There is no stage \"" + parts[i] + "\". Behind a method may stand: " + known +
                   "; for instance snapkv+adakv.");
        }
        named.push_back(&*found);
    }
    return named;
}

Stages stagesOf(const std::string& method, const std::vector<const Stage*>& named)
{
    Stages stages;
    for (const Stage* each : named) {
        if (each->allocator) {
            if (stages.allocator)
                refuse("The method " + method + " names two allocators. Keep one of them.");
            stages.allocator = each->allocator;
        } else if (each->span) {
            if (stages.span != SpanRule::Tokens)
                refuse("The method " + method + " names two span rules. Keep one of them.");
            stages.span = *each->span;
        } else {
            stages.*each->flag = true;
        }
    }
    return stages;
}

void checkStages(const std::string& method, const MethodEntry& entry, const Stages& stages)
{
    const std::string& id = entry.info.id;
    if (entry.composition == Composition::Closed && stages.sparsePrefill) {
        refuse("The method " + id +
               " decides itself what is read, so minference cannot. Use minference alone, or "
               "behind a method that scores tokens, for instance snapkv+minference.");
    }
    if (stages.snapkv && !entry.takesSnapkv) {
        refuse("The stage snapkv chooses among the distant tokens of pod, and " + id +
               " has none. Use pod+snapkv, or the method snapkv alone.");
    }
    const bool isOther = stages.allocator || stages.span != SpanRule::Tokens || stages.compact;
    if (stages.snapkv && !isOther)
        return;
    if (entry.composition == Composition::Closed) {
        refuse("The method " + id +
               " gives tokens no scores that could be divided or placed in another way. Use it "
               "without "
               "stages.");
    }
    if (entry.composition == Composition::OwnAllocator && stages.allocator)
        refuse("The method " + id +
               " has its own way of dividing the places. Leave out the other one.");
    const Allocator allocator = stages.allocator.value_or(entry.allocator);
    const bool comparesHeads = allocator == Allocator::AdaKv || allocator == Allocator::Global;
    if (entry.composition == Composition::HeadScorer && comparesHeads) {
        refuse("The scores of " + id +
               " cannot be compared between heads, which adakv and global do. Use uniform or "
               "pyramid.");
    }
    if (stages.span == SpanRule::ChunkPress && !entry.scoresChunks) {
        refuse(
            "The scores of " + id +
            " are made over the whole document, but chunkpress scores each chunk on its own. Use "
            "it with another method, or leave it out.");
    }
    if (stages.span == SpanRule::ChunkKv && comparesHeads) {
        refuse("With chunkkv all heads of a layer keep the same tokens, so adakv and global have "
               "nothing to share out. Use uniform or pyramid, for instance " +
               id + "+uniform+chunkkv.");
    }
    if (stages.compact && allocator != Allocator::Uniform) {
        refuse("The method " + method +
               " would number the kept tokens anew, but its heads keep different numbers of them. "
               "compact "
               "needs the allocator uniform.");
    }
}

void describeStages(MethodInfo& info, const std::string& method,
                    const std::vector<const Stage*>& named)
{
    info.title += method.substr(info.id.size());
    info.id = method;
    for (const Stage* each : named) {
        if (each->allocator)
            std::erase_if(info.parameters, [](const auto& known) { return known.key == "global"; });
        if (each->flag == &Stages::snapkv) {
            info.usesKeep = true;
            info.queryAgnostic = false;
        }
        const StageInfo& stage = each->info;
        info.parameters.insert(info.parameters.end(), stage.parameters.begin(),
                               stage.parameters.end());
        if (!stage.source.empty())
            info.source += "; " + stage.source;
    }
}

MethodEntry compose(const std::string& id, const std::vector<std::string>& parts)
{
    MethodEntry entry = entryOf(parts.front());
    if (parts.size() == 1)
        return entry;
    const std::vector<const Stage*> named = namedStages(parts);
    const Stages stages = stagesOf(id, named);
    checkStages(id, entry, stages);
    describeStages(entry.info, id, named);
    entry.make = [make = entry.make, stages](const DocumentPlan& plan) {
        DocumentPlan composed = plan;
        composed.stages = stages;
        return stages.sparsePrefill ? readSparsely(make, composed) : make(composed);
    };
    return entry;
}

std::string joined(const std::vector<std::string>& parts)
{
    std::string id;
    for (const std::string& part : parts)
        id += (id.empty() ? "" : "+") + part;
    return id;
}

/// The same parts with another one in front, if these go together; empty otherwise.
std::string rightOrder(const std::vector<std::string>& parts)
{
    for (std::size_t front = 1; front < parts.size(); ++front) {
        std::vector<std::string> moved = parts;
        std::ranges::rotate(moved.begin(), moved.begin() + static_cast<std::ptrdiff_t>(front),
                            moved.begin() + static_cast<std::ptrdiff_t>(front) + 1);
        try {
            return compose(joined(moved), moved).info.id;
        } catch (const Error&) { // the next one
        }
    }
    return {};
}

} // namespace

std::vector<StageInfo> stages()
{
    std::vector<StageInfo> infos;
    for (const Stage& stage : stageTable())
        infos.push_back(stage.info);
    return infos;
}

std::vector<std::string> allowedStages(const MethodEntry& entry)
{
    std::vector<std::string> allowed;
    for (const Stage& stage : stageTable()) {
        Stages tried{.span = stage.span.value_or(SpanRule::Tokens), .allocator = stage.allocator};
        if (stage.flag != nullptr)
            tried.*stage.flag = true;
        const bool needsUniform = tried.compact || tried.span == SpanRule::ChunkKv;
        if (needsUniform && entry.composition != Composition::OwnAllocator)
            tried.allocator = Allocator::Uniform;
        try {
            checkStages(entry.info.id, entry, tried);
            allowed.push_back(stage.info.id);
        } catch (const Error&) { // says why they do not go together; here that is an answer
        }
    }
    return allowed;
}

MethodEntry findMethod(const std::string& id)
{
    const std::vector<std::string> parts = split(id);
    try {
        return compose(id, parts);
    } catch (const Error&) {
        const std::string right = rightOrder(parts);
        if (right.empty())
            throw;
        refuse("In \"" + id + "\" the stages do not stand behind the method. Write " + right + ".");
    }
}

} // namespace engine
