// Everything is kept: the reference that the other methods are measured against.

#include "engine/methods/block_plan.h"

namespace engine {
namespace {

class FullMethod final : public Method
{
public:
    explicit FullMethod(DocumentPlan plan)
        : m_plan(std::move(plan))
        , m_blocks(m_plan, 1)
    {}

    std::optional<Job> nextJob(const KvStore& /*store*/) override { return m_blocks.next(); }
    double totalCost() const override { return m_blocks.costUpTo(m_plan.totalRows()); }
    double doneCost() const override { return m_blocks.costUpTo(m_done); }
    void onJobEnd(const Job& /*job*/, KvStore& /*store*/) override
    {
        m_done = m_blocks.rowsHandedOut();
    }

private:
    DocumentPlan m_plan;
    BlockPlan m_blocks;
    std::uint32_t m_done = 0;
};

} // namespace

MethodEntry fullMethod()
{
    return {.info = {.id = "full",
                     .title = "Everything",
                     .description =
                         "Keeps every key and value. Largest and exact; what the others are "
                         "compared with.",
                     .source = "Vaswani et al. 2017, arXiv 1706.03762",
                     .queryAgnostic = true,
                     .parameters = {},
                     .usesKeep = false},
            .make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<FullMethod>(plan);
            },
            .keepsPinned = true};
}

} // namespace engine
