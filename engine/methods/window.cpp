// Window attention (selection.md 3.7): a row sees the last tokens and nothing else, and only they
// are kept, at the positions where they were read. A negative control: as soon as the first tokens
// leave the window, models lose the attention sinks that they were trained with. What the chat
// template writes before the document stays stored, as with every method, and a question sees it;
// the document's rows do not, once it is outside their window.

#include "engine/methods/block_plan.h"
#include "engine/methods/recent_window.h"

namespace engine {
namespace {

class WindowMethod final : public Method
{
public:
    explicit WindowMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_blocks(m_plan, 1)
        , m_window(plan.keptPerHead() < plan.documentRows() ? plan.keptPerHead() : plan.totalRows())
    {}

    std::optional<Job> nextJob(const KvStore& /*store*/) override { return m_blocks.next(); }

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        segments.push_back(recentSegment(step, 0, m_window));
    }

    void onJobEnd(const Job& /*job*/, KvStore& store) override
    {
        m_done = m_blocks.rowsHandedOut();
        keepEnds(store, m_plan.prefixRows(), m_window);
    }

    double totalCost() const override { return m_plan.totalRows(); }
    double doneCost() const override { return m_done; }

private:
    DocumentPlan m_plan;
    BlockPlan m_blocks;
    std::uint32_t m_window;
    std::uint32_t m_done = 0;
};

} // namespace

MethodEntry windowMethod()
{
    return {{.id = "window",
             .title = "The end (window)",
             .description = "Keeps the most recent tokens only. A negative control.",
             .source = "Beltagy et al. 2020, arXiv 2004.05150",
             .queryAgnostic = true,
             .parameters = {}},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<WindowMethod>(plan);
            }};
}

} // namespace engine
