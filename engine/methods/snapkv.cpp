// SnapKV (Li et al. 2024, arXiv 2404.14469): the last rows vote for earlier entries by their
// attention; the votes are pooled over neighbours and each head keeps its top ones and the window.
// Here the window is the document's end, because the question is not known while reading:
// selection.md 3.2 and 4.1.
//
// PyramidKV (Cai et al. 2024, arXiv 2406.02069) is the same with fewer places the higher the layer:
// selection.md 3.3.

#include "engine/methods/scorer_method.h"
#include "kernels/pool.h"

namespace engine {
namespace {

class SnapkvMethod final : public AttentionScorer
{
public:
    SnapkvMethod(const DocumentPlan& plan, const std::string& name)
        : AttentionScorer(
              plan, name,
              {.sinks = 0, .window = static_cast<std::uint32_t>(plan.setting("window"))},
              Votes::Window, kernels::HeadReduction::Mean)
        , m_kernel(static_cast<std::uint32_t>(plan.setting("kernel")))
    {
        if (m_kernel % 2 == 0)
            throw Error(ErrorCode::BadInput, "The setting kernel of " + name + " must be odd.");
    }

private:
    LayerScores scoresOf(const KvStore& /*store*/, std::uint32_t layer) override
    {
        const std::vector<float>& votes = sums(layer);
        std::vector<float> pooled(votes.size());
        for (std::size_t at = 0; at < votes.size(); at += eligibleRows()) {
            kernels::cpu::avgPool(std::span(pooled).subspan(at, eligibleRows()),
                                  std::span(votes).subspan(at, eligibleRows()), m_kernel,
                                  kernels::cpu::PoolEdge::Zeros);
        }
        return {plan().kvHeads, eligibleRows(), std::move(pooled), votes};
    }

    std::uint32_t m_kernel;
};

std::vector<MethodParameter> votingParameters()
{
    return {{"window", "last tokens that vote and always stay (tokens)", 1, 4096, 32},
            {"kernel", "neighbours pooled together, odd (tokens)", 1, 63, 5}};
}

} // namespace

MethodEntry snapkvMethod()
{
    return {{.id = "snapkv",
             .title = "What the end looked at (SnapKV)",
             .description = "Keeps what the last tokens attend to. Made for a question at the end; "
                            "without one it is a weak choice, shown for comparison.",
             .source = "Li et al. 2024, arXiv 2404.14469",
             .queryAgnostic = false,
             .parameters = votingParameters()},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<SnapkvMethod>(plan, "snapkv");
            },
            Composition::SharedScorer,
            Allocator::Uniform};
}

MethodEntry pyramidkvMethod()
{
    auto parameters = votingParameters();
    parameters.push_back(
        {"beta", "how many times fewer the upper end of the pyramid keeps", 1, 100, 20});
    return {{.id = "pyramidkv",
             .title = "What the end looked at, in a pyramid (PyramidKV)",
             .description = "As SnapKV, but lower layers keep more than upper ones.",
             .source = "Cai et al. 2024, arXiv 2406.02069",
             .queryAgnostic = false,
             .parameters = std::move(parameters)},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                DocumentPlan pyramid = plan;
                pyramid.stages.allocator = Allocator::Pyramid;
                return std::make_unique<SnapkvMethod>(pyramid, "pyramidkv");
            },
            Composition::OwnAllocator,
            Allocator::Pyramid};
}

} // namespace engine
