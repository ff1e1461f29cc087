// LM-Infinite (Han et al. 2023, arXiv 2308.16137): a row attends to the first tokens and to a local
// window, and no distance is larger than the window: what lies beyond it, the first tokens, counts
// as `window` tokens away, all of them alike (selection.md 3.6). As there, the middle is dropped,
// which the reference keeps without using it.
//
// A first token inside the window is seen at its true distance. One outside is a segment of its
// own, whose queries are turned to stand exactly `window` behind it; so keys stay as they are
// stored. At the end the first tokens are turned to position 0 and the window to the positions
// before `window`, where the question begins. From there the distance to the first tokens grows by
// one with each token, where the reference keeps it constant.

#include "engine/methods/block_plan.h"
#include "engine/methods/recent_window.h"

#include <algorithm>

namespace engine {
namespace {

struct Lengths
{
    std::uint32_t first = 0;  // tokens that every row sees
    std::uint32_t window = 0; // and the most recent ones, itself included
};

Lengths lengthsOf(const DocumentPlan& plan)
{
    const std::uint32_t first =
        std::max(static_cast<std::uint32_t>(plan.setting("first")), plan.prefixRows());
    const std::uint32_t kept = plan.keptPerHead();
    // First tokens of the document are paid from the budget. Where nothing has to go, the window
    // holds everything.
    if (kept >= plan.documentRows())
        return {std::min(first, plan.totalRows()), plan.totalRows()};
    const std::uint32_t paid = first - plan.prefixRows();
    return {first, kept > paid ? kept - paid : 1};
}

class LmInfiniteMethod final : public Method
{
public:
    explicit LmInfiniteMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_blocks(m_plan, 1)
        , m_lengths(lengthsOf(plan))
    {}

    std::optional<Job> nextJob(const KvStore& /*store*/) override { return m_blocks.next(); }

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        if (step.positions.empty() || !isBeyond(step.positions.back()))
            return;
        segments.push_back(recentSegment(step, 0, m_lengths.window));
        for (std::uint32_t token = 0; token < m_lengths.first; ++token)
            segments.push_back(farSegment(step, segments.front(), token));
    }

    void onJobEnd(const Job& /*job*/, KvStore& store) override
    {
        m_done = m_blocks.rowsHandedOut();
        keepEnds(store, m_lengths.first, m_lengths.window);
        if (m_blocks.finished() && isBeyond(static_cast<std::int32_t>(m_done) - 1))
            clipDistances(store);
    }

    double totalCost() const override { return m_plan.totalRows(); }
    double doneCost() const override { return m_done; }

private:
    /// Whether the row at this position has the first token outside its window.
    bool isBeyond(std::int32_t position) const
    {
        return position >= static_cast<std::int32_t>(m_lengths.window);
    }

    /// One first token for the rows that have it outside their window.
    Segment farSegment(const LayerStep& step, const Segment& recent, std::uint32_t token) const
    {
        const std::uint32_t heads = step.store->shape().kvHeads;
        Segment far;
        for (std::size_t r = 0; r < step.rows.size(); ++r) {
            const bool isOutside = recent.visible[r * heads].begin > token;
            far.visible.insert(far.visible.end(), heads, {token, token + (isOutside ? 1 : 0)});
            far.queryShift.push_back(
                isOutside ? static_cast<std::int32_t>(m_lengths.window + token) - step.positions[r]
                          : 0);
        }
        return far;
    }

    void clipDistances(KvStore& store) const
    {
        const std::uint32_t length = store.list(0, 0).length();
        for (std::uint32_t token = 1; token < m_lengths.first; ++token)
            moveEntries(store, m_plan, {token, token + 1}, -static_cast<std::int32_t>(token));
        moveEntries(store, m_plan, {m_lengths.first, length},
                    static_cast<std::int32_t>(m_lengths.window) -
                        static_cast<std::int32_t>(m_plan.totalRows()));
        store.setNextPosition(static_cast<std::int32_t>(m_lengths.window));
    }

    DocumentPlan m_plan;
    BlockPlan m_blocks;
    Lengths m_lengths;
    std::uint32_t m_done = 0;
};

} // namespace

MethodEntry lmInfiniteMethod()
{
    MethodEntry entry{
        {.id = "lm-infinite",
         .title = "Beginning and end, distances clipped (LM-Infinite)",
         .description = "Keeps the first tokens, all at one distance, and the most recent "
                        "ones. A control, not a way to keep a book.",
         .source = "Han et al. 2023, arXiv 2308.16137",
         .queryAgnostic = true,
         .parameters = {{"first", "first tokens that every row sees (tokens)", 0, 256, 10}}},
        [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
            return std::make_unique<LmInfiniteMethod>(plan);
        }};
    entry.positions = [](const DocumentPlan& plan) -> std::uint64_t {
        return lengthsOf(plan).window;
    };
    return entry;
}

} // namespace engine
