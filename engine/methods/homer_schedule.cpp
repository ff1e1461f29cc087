#include "engine/methods/homer_schedule.h"

#include "engine/error.h"

#include <algorithm>
#include <bit>
#include <string>

namespace engine {
namespace {

std::uint32_t divideUp(std::uint32_t a, std::uint32_t b)
{
    return a / b + (a % b == 0 ? 0 : 1);
}

/// W and u: the tree's height + 1 nodes share the layers after the first W.
void divideLayers(HomerSchedule& schedule, const HomerPlan& plan)
{
    const std::uint32_t nodes = schedule.height + 1;
    const std::uint32_t largest = plan.layers >= nodes ? plan.layers - nodes : 0;
    schedule.layers = plan.layers;
    schedule.warmUp = plan.warmUp.value_or(std::min(plan.layers * 3 / 8, largest));
    if (schedule.warmUp + nodes > plan.layers) {
        throw Error(ErrorCode::TooLarge,
                    "HOMER needs a tree of " + std::to_string(nodes) +
                        " levels for this document, but the model has " +
                        std::to_string(plan.layers) + " layers, of which " +
                        std::to_string(schedule.warmUp) +
                        " come before the first merge. Stretch the window with rope scaling "
                        "(--set rope=yarn), set fewer warm-up layers, choose a model with more "
                        "layers, or split the document.");
    }
    schedule.step = (plan.layers - schedule.warmUp) / nodes;
}

class Tree
{
public:
    Tree(const HomerPlan& plan, HomerSchedule& schedule, std::uint32_t room)
        : m_plan(plan)
        , m_schedule(schedule)
        , m_affix(plan.prefix + plan.suffix)
        , m_childTarget(m_affix + room / 2)
        , m_leaves(divideUp(plan.document, schedule.chunk))
    {}

    /// Adds the nodes of a subtree; `target` rows leave its top.
    void add(std::uint32_t height, std::uint32_t firstLeaf, std::uint32_t target, bool isRight)
    {
        HomerNode node;
        node.height = height;
        node.isRight = isRight;
        node.begin = firstLeaf * m_schedule.chunk;
        const std::uint32_t endLeaf = std::min(firstLeaf + (1U << height), m_leaves);
        node.end = std::min(endLeaf * m_schedule.chunk, m_plan.document);
        if (height == 0) {
            node.rows = m_affix + node.end - node.begin;
        } else {
            const std::uint32_t middle = firstLeaf + (1U << (height - 1));
            node.isMerged = middle < m_leaves;
            if (node.isMerged)
                addPair(height - 1, firstLeaf, middle, node);
            else
                node.rows = addAlone(height - 1, firstLeaf);
        }
        node.kept = std::min(node.rows, target);
        m_schedule.nodes.push_back(node);
    }

private:
    /// A short last chunk is not cut and leaves its brother the rest of the room.
    void addPair(std::uint32_t height, std::uint32_t left, std::uint32_t right, HomerNode& parent)
    {
        const std::uint32_t begin = right * m_schedule.chunk;
        const std::uint32_t first = m_affix + std::min(m_schedule.chunk, m_plan.document - begin);
        const bool isShort = first < m_childTarget;
        add(height, left, isShort ? m_plan.largestChunk - (first - m_affix) : m_childTarget, false);
        const std::uint32_t leftKept = m_schedule.nodes.back().kept;
        add(height, right, isShort ? first : m_childTarget, true);
        parent.rows = leftKept + m_schedule.nodes.back().kept - m_affix;
    }

    std::uint32_t addAlone(std::uint32_t height, std::uint32_t leaf)
    {
        add(height, leaf, m_plan.largestChunk, false);
        return m_schedule.nodes.back().kept;
    }

    const HomerPlan& m_plan;
    HomerSchedule& m_schedule;
    std::uint32_t m_affix;
    std::uint32_t m_childTarget;
    std::uint32_t m_leaves;
};

} // namespace

std::uint32_t HomerSchedule::layerEnd(std::uint32_t ofHeight) const
{
    return layers - step * (height - ofHeight);
}

std::uint32_t HomerSchedule::layerBegin(std::uint32_t ofHeight) const
{
    return ofHeight == 0 ? 0 : layerEnd(ofHeight - 1);
}

/// Behind a left child comes its brother's first chunk, or its parent when it has no brother.
bool HomerSchedule::waits(std::size_t node) const
{
    return !nodes[node].isRight && node + 1 < nodes.size() &&
           nodes[node + 1].height <= nodes[node].height;
}

std::uint64_t HomerSchedule::peakRowLayers() const
{
    std::uint64_t peak = 0;
    std::vector<std::uint64_t> waiting; // of finished left siblings
    std::uint64_t held = 0;
    for (std::size_t index = 0; index < nodes.size(); ++index) {
        const HomerNode& node = nodes[index];
        if (node.isMerged) {
            held -= waiting.back();
            waiting.pop_back();
        }
        const std::uint64_t layersDone = layerEnd(node.height);
        peak = std::max(peak, held + node.rows * layersDone);
        if (waits(index)) {
            waiting.push_back(node.kept * layersDone);
            held += waiting.back();
        }
    }
    return peak;
}

HomerSchedule planHomer(const HomerPlan& plan)
{
    const std::uint32_t affix = plan.prefix + plan.suffix;
    if (plan.largestChunk < affix + kLeastChunkRoom) {
        throw Error(ErrorCode::BadInput,
                    "HOMER's chunks of " + std::to_string(plan.largestChunk) +
                        " tokens must hold the " + std::to_string(affix) +
                        " tokens around the document and " + std::to_string(kLeastChunkRoom) +
                        " of it. Make the chunks larger (--set chunk=" +
                        std::to_string(std::bit_ceil(affix + kLeastChunkRoom)) +
                        ") or the question shorter.");
    }
    HomerSchedule schedule;
    const std::uint32_t room = plan.largestChunk - affix;
    const std::uint32_t chunks = std::max(divideUp(plan.document, room), 1U);
    schedule.height = static_cast<std::uint32_t>(std::bit_width(chunks - 1));
    schedule.chunk = divideUp(plan.document, 1U << schedule.height);
    divideLayers(schedule, plan);
    Tree(plan, schedule, room).add(schedule.height, 0, affix + plan.target, false);
    return schedule;
}

} // namespace engine
