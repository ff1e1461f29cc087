// Cross-layer attention (Brandon et al. 2024, arXiv 2405.12981; structural.md 5.6): layers in
// groups of a few, and only the lowest of a group has keys and values, which the others use. Models
// are trained for it from the start. With any other model it is a control that shows what sharing
// everything costs.

#include "engine/dialog/context.h"
#include "engine/kv/byte_stream.h"
#include "engine/methods/answering.h"
#include "engine/methods/block_plan.h"
#include "engine/methods/layer_grouping.h"

namespace engine {
namespace {

/// All rows see all entries of the layer that owns their group.
void addOwnersSegment(std::uint32_t groupSize, const LayerStep& step,
                      std::vector<Segment>& segments)
{
    const std::uint32_t owner = step.layer / groupSize * groupSize;
    if (owner == step.layer)
        return;
    const KvShape shape = step.store->shape();
    const auto rows = static_cast<std::uint32_t>(step.rows.size());
    Segment segment;
    segment.keyLayers.assign(shape.kvHeads, owner);
    segment.valueLayers.assign(shape.kvHeads, owner);
    for (std::uint32_t row = 0; row < rows; ++row) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            const std::uint32_t length = step.store->list(owner, head).length();
            segment.visible.push_back({0, length - rows + row + 1});
        }
    }
    segments.push_back(std::move(segment));
}

void dropBorrowers(std::uint32_t groupSize, KvStore& store)
{
    const KvShape shape = store.shape();
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads && layer % groupSize != 0; ++head)
            store.list(layer, head).keep({}, shape.headDim);
    }
}

class ClaMethod final : public Method
{
public:
    explicit ClaMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_blocks(m_plan, 1)
        , m_groupSize(static_cast<std::uint32_t>(plan.setting("group")))
    {}

    std::optional<Job> nextJob(const KvStore& /*store*/) override { return m_blocks.next(); }
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        addOwnersSegment(m_groupSize, step, segments);
    }
    void onJobEnd(const Job& /*job*/, KvStore& store) override
    {
        m_done = m_blocks.rowsHandedOut();
        dropBorrowers(m_groupSize, store);
    }
    double totalCost() const override { return m_blocks.costUpTo(m_plan.totalRows()); }
    double doneCost() const override { return m_blocks.costUpTo(m_done); }

private:
    DocumentPlan m_plan;
    BlockPlan m_blocks;
    std::uint32_t m_groupSize;
    std::uint32_t m_done = 0;
};

class ClaAnswer final : public AnswerMethod
{
public:
    explicit ClaAnswer(std::uint32_t groupSize)
        : m_groupSize(groupSize)
    {}
    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<ClaAnswer>(*this);
    }
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        addOwnersSegment(m_groupSize, step, segments);
    }
    void afterJob(const Job& /*job*/, KvStore& store) override
    {
        dropBorrowers(m_groupSize, store);
    }

private:
    std::uint32_t m_groupSize;
};

std::unique_ptr<AnswerMethod> makeAnswer(const Context& context)
{
    const ByteReader reader({}, "The prepared document");
    const auto setting = context.info().settings.find("group");
    if (setting == context.info().settings.end() ||
        !(setting->second >= 1 && setting->second <= 1024))
        reader.fail("layer groups");
    const auto groupSize = static_cast<std::uint32_t>(setting->second);
    const KvStore& store = context.store();
    for (std::uint32_t layer = 0; layer < store.shape().layers; ++layer) {
        for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head) {
            const std::uint32_t expected = layer % groupSize == 0 ? store.rowCount() : 0;
            if (store.list(layer, head).length() != expected)
                reader.fail("list length");
        }
    }
    return std::make_unique<ClaAnswer>(groupSize);
}

} // namespace

MethodEntry claMethod()
{
    MethodEntry entry;
    entry.info = {.id = "cla",
                  .title = "Layers share everything (CLA)",
                  .description =
                      "Only every second layer has keys and values. For models that were trained "
                      "so; a control with all others.",
                  .source = "Brandon et al. 2024, arXiv 2405.12981",
                  .queryAgnostic = true,
                  .parameters = {{"group", "layers that share one cache (layers)", 1, 1024, 2}},
                  .needsTraining = true,
                  .usesKeep = false};
    entry.make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
        return std::make_unique<ClaMethod>(plan);
    };
    entry.answer = [](const Context& context, LoadedModel&) { return makeAnswer(context); };
    return entry;
}

} // namespace engine
