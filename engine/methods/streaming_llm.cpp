// StreamingLLM (Xiao et al. 2023, arXiv 2309.17453): the first entries ("attention sinks") and a
// window of the most recent ones stay; positions are counted inside the cache. The rows themselves
// are read with that window, so reading costs O(n * window) and never holds more than the window
// and one block.
//
// A row at index i sees the sinks as if it stood at min(i, sinks + window - 1), and the recent
// entries at their true distance. That is the reference's rotation by cache slot without touching
// the cache at each step: a difference of positions is all that RoPE shows.

#include "engine/methods/block_plan.h"
#include "engine/methods/recent_window.h"

#include <algorithm>

namespace engine {
namespace {

using kernels::EntryRange;

class StreamingLlmMethod final : public Method
{
public:
    explicit StreamingLlmMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_blocks(m_plan, 1)
        , m_sinks(std::max(static_cast<std::uint32_t>(plan.setting("sinks")), plan.prefixRows()))
    {
        // The budget counts document pairs; sinks that are document tokens are paid from it.
        const std::uint32_t paidSinks = m_sinks - plan.prefixRows();
        const std::uint32_t kept = plan.keptPerHead();
        m_window = kept > paidSinks ? kept - paidSinks : 1;
    }

    std::optional<Job> nextJob(const KvStore& /*store*/) override { return m_blocks.next(); }

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        const std::uint32_t heads = step.store->shape().kvHeads;
        Segment recent = recentSegment(step, m_sinks, m_window);
        Segment sinks;
        const auto slot = static_cast<std::int32_t>(m_sinks + m_window - 1);
        for (std::size_t r = 0; r < step.rows.size(); ++r) {
            const std::uint32_t end = recent.visible[r * heads].end;
            sinks.visible.insert(sinks.visible.end(), heads, EntryRange{0, std::min(m_sinks, end)});
            sinks.queryShift.push_back(std::min(0, slot - step.positions[r]));
        }
        segments.push_back(std::move(recent));
        segments.push_back(std::move(sinks));
    }

    void onJobEnd(const Job& /*job*/, KvStore& store) override
    {
        m_done = m_blocks.rowsHandedOut();
        keepEnds(store, m_sinks, m_window);
        if (m_blocks.finished())
            moveToSlots(store);
    }

    double totalCost() const override { return m_plan.totalRows(); }
    double doneCost() const override { return m_done; }

private:
    /// The window's keys are turned, once and from their original positions, to the slots behind
    /// the sinks.
    void moveToSlots(KvStore& store) const
    {
        const std::uint32_t length = store.list(0, 0).length();
        const auto delta =
            static_cast<std::int32_t>(length) - static_cast<std::int32_t>(m_plan.totalRows());
        store.setNextPosition(static_cast<std::int32_t>(length));
        moveEntries(store, m_plan, {m_sinks, length}, delta);
    }

    DocumentPlan m_plan;
    BlockPlan m_blocks;
    std::uint32_t m_sinks;
    std::uint32_t m_window = 0;
    std::uint32_t m_done = 0;
};

/// No row sees another one farther away than the sinks and the window are long.
std::uint64_t positionsOfWindow(const DocumentPlan& plan)
{
    const auto sinks = std::max(static_cast<std::uint64_t>(plan.setting("sinks")),
                                std::uint64_t{plan.prefixRows()});
    return std::min<std::uint64_t>(plan.totalRows(), sinks + plan.keptPerHead());
}

} // namespace

MethodEntry streamingLlmMethod()
{
    MethodEntry entry{
        {.id = "streaming-llm",
         .title = "Beginning and end (StreamingLLM)",
         .description = "Keeps the first tokens and the most recent ones; the middle is let go. "
                        "A control, not a way to keep a book.",
         .source = "Xiao et al. 2023, arXiv 2309.17453",
         .queryAgnostic = true,
         .parameters = {{"sinks", "first tokens that always stay (tokens)", 0, 1024, 4}}},
        [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
            return std::make_unique<StreamingLlmMethod>(plan);
        }};
    entry.positions = positionsOfWindow;
    return entry;
}

} // namespace engine
