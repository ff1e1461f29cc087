// Observed attention: the mean weight that a token drew from the rows that could see it. H2O's sums
// (Zhang et al. 2023, arXiv 2306.14048) divided by the number of those rows, which removes the
// advantage of early tokens; every token competes. selection.md 3.4.

#include "engine/methods/score_math.h"
#include "engine/methods/scorer_method.h"

namespace engine {
namespace {

class ObservedAttentionMethod final : public AttentionScorer
{
public:
    explicit ObservedAttentionMethod(const DocumentPlan& plan)
        : AttentionScorer(plan, "observed-attention", {}, Votes::AllRows,
                          kernels::HeadReduction::Mean)
    {}

private:
    LayerScores scoresOf(const KvStore& /*store*/, std::uint32_t layer) override
    {
        return {plan().kvHeads,
                eligibleRows(),
                normalisedByAge(sums(layer), eligibleRows(), plan().totalRows() - eligible().begin),
                {}};
    }
};

} // namespace

MethodEntry observedAttentionMethod()
{
    return {{.id = "observed-attention",
             .title = "What the text looked at (observed attention)",
             .description =
                 "Keeps the tokens that drew most attention per later token of the text itself.",
             .source = "after Zhang et al. 2023, arXiv 2306.14048",
             .queryAgnostic = true,
             .parameters = {}},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<ObservedAttentionMethod>(plan);
            },
            Composition::SharedScorer,
            Allocator::Uniform,
            false};
}

} // namespace engine
