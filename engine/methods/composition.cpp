// "scorer+allocator+compact": any scorer with any way of dividing the places and of placing the
// kept keys, as far as they go together (selection.md 5).

#include "engine/methods/method.h"

#include <algorithm>

namespace engine {
namespace {

/// A stage as it is listed, and what it sets.
struct Stage
{
    StageInfo info;
    std::optional<Allocator> allocator; // otherwise the stage is `compact`
};

const std::vector<Stage>& stageTable()
{
    static const std::vector<Stage> kTable{
        {{"uniform", "allocator", "every head keeps the same number of tokens", "", {}},
         Allocator::Uniform},
        {{"adakv",
          "allocator",
          "the heads of a layer share its places by their scores",
          "Feng et al. 2024, arXiv 2407.11550",
          {{"floor", "part of an equal share that every head gets at least (percent)", 0, 100,
            20}}},
         Allocator::AdaKv},
        {{"pyramid",
          "allocator",
          "lower layers keep more tokens, upper layers fewer",
          "Cai et al. 2024, arXiv 2406.02069",
          {{"beta", "how many times fewer the upper end of the pyramid keeps", 1, 100, 20}}},
         Allocator::Pyramid},
        {{"global", "allocator", "one ranking over all layers and heads", "", {}},
         Allocator::Global},
        {{"compact",
          "positions",
          "the kept tokens are numbered anew, one behind the other; needs the allocator uniform",
          "",
          {}},
         std::nullopt},
    };
    return kTable;
}

const Stage& stageOf(Allocator allocator)
{
    return *std::ranges::find(stageTable(), std::optional(allocator), &Stage::allocator);
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

Stages parseStages(const std::string& method, const std::vector<std::string>& parts)
{
    Stages stages;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto named = std::ranges::find(stageTable(), parts[i],
                                             [](const Stage& each) { return each.info.id; });
        if (named == stageTable().end()) {
            refuse("There is no stage \"" + parts[i] +
                   "\". Behind a method may stand one of uniform, adakv, pyramid, global, and "
                   "compact, "
                   "for instance snapkv+adakv.");
        }
        if (!named->allocator) {
            stages.compact = true;
            continue;
        }
        if (stages.allocator)
            refuse("The method " + method + " names two allocators. Keep one of them.");
        stages.allocator = named->allocator;
    }
    return stages;
}

void checkStages(const std::string& method, const MethodEntry& entry, const Stages& stages)
{
    const std::string& id = entry.info.id;
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
    if (stages.compact && allocator != Allocator::Uniform) {
        refuse("The method " + method +
               " would number the kept tokens anew, but its heads keep different numbers of them. "
               "compact "
               "needs the allocator uniform.");
    }
}

void describeStages(MethodInfo& info, const std::string& method, const Stages& stages)
{
    info.title += method.substr(info.id.size());
    info.id = method;
    if (stages.allocator)
        std::erase_if(info.parameters, [](const auto& each) { return each.key == "global"; });
    if (!stages.allocator)
        return;
    const StageInfo& stage = stageOf(*stages.allocator).info;
    info.parameters.insert(info.parameters.end(), stage.parameters.begin(), stage.parameters.end());
    if (!stage.source.empty())
        info.source += "; " + stage.source;
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
        Stages tried{stage.allocator, !stage.allocator.has_value()};
        if (tried.compact && entry.composition != Composition::OwnAllocator)
            tried.allocator = Allocator::Uniform; // which it needs
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
    MethodEntry entry = entryOf(parts.front());
    if (parts.size() == 1)
        return entry;
    const Stages stages = parseStages(id, parts);
    checkStages(id, entry, stages);
    describeStages(entry.info, id, stages);
    entry.make = [make = entry.make, stages](const DocumentPlan& plan) {
        DocumentPlan composed = plan;
        composed.stages = stages;
        return make(composed);
    };
    return entry;
}

} // namespace engine
