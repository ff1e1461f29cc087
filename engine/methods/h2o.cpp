// H2O (Zhang et al. 2023, arXiv 2306.14048): tokens that drew the most attention over all rows
// ("heavy hitters") and the most recent ones stay. The sums run over every row of the document and
// the heads of a group and are cut once after reading; selection.md 3.4. They are not divided by
// age, so early tokens are favoured, as in the paper; observed-attention removes that.

#include "engine/methods/scorer_method.h"

#include <algorithm>

namespace engine {
namespace {

/// The recent tokens' part of the budget; one place is always left for a heavy hitter.
std::uint32_t recentRows(const DocumentPlan& plan)
{
    const std::uint32_t kept = plan.keptPerHead();
    const auto recent = static_cast<std::uint32_t>(kept * plan.setting("recent") / 100);
    return std::min(recent, std::max(kept, 1U) - 1);
}

class H2oMethod final : public AttentionScorer
{
public:
    explicit H2oMethod(const DocumentPlan& plan)
        : AttentionScorer(plan, "h2o", {.sinks = 0, .window = recentRows(plan)}, Votes::AllRows,
                          kernels::HeadReduction::Sum)
    {}

private:
    LayerScores scoresOf(const KvStore& /*store*/, std::uint32_t layer) override
    {
        return {plan().kvHeads, eligibleRows(), sums(layer), {}};
    }
};

} // namespace

MethodEntry h2oMethod()
{
    return {{.id = "h2o",
             .title = "Heavy hitters and the end (H2O)",
             .description =
                 "Keeps what the text itself attended to most, and its last part. Favours the "
                 "beginning; shown for comparison.",
             .source = "Zhang et al. 2023, arXiv 2306.14048",
             .queryAgnostic = true,
             .parameters = {{"recent", "part of the budget that the last tokens get (percent)", 0,
                             100, 50}}},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<H2oMethod>(plan);
            },
            Composition::SharedScorer,
            Allocator::Uniform,
            false};
}

} // namespace engine
