// SnapKV (Li et al. 2024, arXiv 2404.14469): the last rows vote for earlier entries by their attention; the votes are
// pooled over neighbours and each head keeps its top ones and the window. Here the window is the document's end,
// because the question is not known while reading: selection.md 3.2 and 4.1.

#include "engine/kv/byte_stream.h"
#include "engine/methods/block_plan.h"
#include "kernels/pool.h"
#include "kernels/select.h"

#include <algorithm>
#include <numeric>

namespace engine {
namespace {

class SnapkvMethod final : public Method
{
public:
    explicit SnapkvMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_window(std::min(static_cast<std::uint32_t>(plan.setting("window")),
                            plan.documentRows()))
        , m_blocks(m_plan, m_window)
        , m_kernel(static_cast<std::uint32_t>(plan.setting("kernel")))
        , m_scores(std::size_t{plan.layers})
    {
        if (m_kernel % 2 == 0)
            throw Error(ErrorCode::BadInput, "The setting kernel of snapkv must be odd.");
        if (selects() && plan.keptPerHead() <= m_window) {
            throw Error(ErrorCode::BadInput,
                        "SnapKV always keeps its window of " + std::to_string(m_window) +
                            " tokens, but only " + std::to_string(plan.keptPerHead()) +
                            " may stay. Raise keep or lower the setting window.");
        }
    }

    std::optional<Job> nextJob(const KvStore& /*store*/) override { return m_blocks.next(); }

    bool needsLse(const LayerStep& /*step*/) const override { return votes(); }

    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        if (!votes())
            return;
        kernels::ScoreSpec spec;
        spec.scored = {m_plan.prefixRows(), m_plan.totalRows() - m_window};
        spec.normaliser = kernels::Normaliser::Full;
        spec.rows = kernels::RowReduction::Sum;
        spec.heads = kernels::HeadReduction::Mean;
        spec.firstRow = step.rows.size() - m_window;
        m_scores[step.layer] = scorer.run(spec);
    }

    std::vector<std::byte> jobState() const override
    {
        if (!votes())
            return {};
        ByteWriter writer;
        for (const auto& layer : m_scores)
            writer.putArray(std::span<const float>(layer));
        return writer.take();
    }

    void restoreJobState(const Job& /*job*/, std::span<const std::byte> state) override
    {
        if (!votes())
            return;
        ByteReader reader(state, "The saved progress of SnapKV");
        for (auto& layer : m_scores) {
            layer = reader.getArray<float>("scores");
            if (layer.size() != std::size_t{eligible()} * m_plan.kvHeads)
                reader.fail("scores");
        }
        reader.expectEnd();
    }

    void onJobEnd(const Job& /*job*/, KvStore& store) override
    {
        m_done = m_blocks.rowsHandedOut();
        if (!votes())
            return;
        for (std::uint32_t layer = 0; layer < m_plan.layers; ++layer) {
            for (std::uint32_t head = 0; head < m_plan.kvHeads; ++head)
                store.list(layer, head).keep(selection(layer, head), m_plan.headDim);
        }
    }

    double totalCost() const override { return m_blocks.costUpTo(m_plan.totalRows()); }
    double doneCost() const override { return m_blocks.costUpTo(m_done); }

    std::size_t scoreBytes() const override
    {
        std::size_t total = 0;
        for (const auto& layer : m_scores)
            total += layer.capacity() * sizeof(float);
        return total;
    }

private:
    bool selects() const { return m_plan.keptPerHead() < m_plan.documentRows(); }
    /// True from the moment the last block was handed out: that block holds the window.
    bool votes() const { return selects() && m_blocks.finished(); }
    std::uint32_t eligible() const { return m_plan.documentRows() - m_window; }

    std::vector<std::uint32_t> selection(std::uint32_t layer, std::uint32_t head) const
    {
        const auto raw = std::span<const float>(m_scores[layer])
                             .subspan(std::size_t{head} * eligible(), eligible());
        std::vector<float> pooled(raw.size());
        kernels::cpu::avgPool(pooled, raw, m_kernel, kernels::cpu::PoolEdge::Zeros);
        std::vector<std::uint32_t> kept(m_plan.prefixRows());
        std::iota(kept.begin(), kept.end(), 0U);
        for (const std::uint32_t index :
             kernels::cpu::selectTop(pooled, raw, m_plan.keptPerHead() - m_window,
                                     kernels::cpu::TieRule::LowerIndex))
            kept.push_back(m_plan.prefixRows() + index);
        for (std::uint32_t row = m_plan.totalRows() - m_window; row < m_plan.totalRows(); ++row)
            kept.push_back(row);
        return kept;
    }

    DocumentPlan m_plan;
    std::uint32_t m_window;
    BlockPlan m_blocks;
    std::uint32_t m_kernel;
    std::vector<std::vector<float>> m_scores; // [layer] (kvHeads, eligible document rows)
    std::uint32_t m_done = 0;
};

} // namespace

MethodEntry snapkvMethod()
{
    return {{.id = "snapkv",
             .title = "What the end looked at (SnapKV)",
             .description = "Keeps what the last tokens attend to. Made for a question at the end; "
                            "without one it is a weak choice, shown for comparison.",
             .source = "Li et al. 2024, arXiv 2404.14469",
             .queryAgnostic = false,
             .parameters = {{"window", "last tokens that vote and always stay (tokens)", 1, 4096, 32},
                            {"kernel", "neighbours pooled together, odd (tokens)", 1, 63, 5}}},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<SnapkvMethod>(plan);
            }};
}

} // namespace engine
