// KVzip (Kim et al. 2025, arXiv 2505.23416): the model is asked to repeat the document, piece by
// piece, with the whole cache visible. A key that no repeating row attends to strongly is not
// needed to reconstruct the text and is dropped, whatever will be asked later; structural.md 6.1.
// The paper's budgets: "pair" is one ranking over all layers and heads (the default), "uniform" is
// kvzip+uniform, the same for each layer kvzip+adakv with a floor of 0, and "head" is kvzip-head.

#include "engine/methods/kvzip_scorer.h"

namespace engine {
namespace {

DocumentPlan withAllocator(DocumentPlan plan)
{
    if (!plan.stages.allocator) {
        plan.stages.allocator =
            plan.setting("global") != 0.0 ? Allocator::Global : Allocator::Uniform;
    }
    return plan;
}

} // namespace

KvzipScorer::KvzipScorer(const DocumentPlan& plan, const std::string& name)
    : RepeatingMethod(plan, name, plan.documentRows())
    , m_competition(withAllocator(plan), name, {})
{}

std::vector<MethodParameter> kvzipParameters()
{
    auto parameters = repeatingParameters();
    parameters.push_back(
        {"global", "1: one ranking over all heads; 0: every head keeps equally many", 0, 1, 1});
    return parameters;
}

MethodEntry kvzipMethod()
{
    return {{.id = "kvzip",
             .title = "Recommended (KVzip)",
             .description =
                 "Keeps what the model needs to repeat the document, whatever you ask later. "
                 "Takes about twice as long to prepare as reading alone.",
             .source = "Kim et al. 2025, arXiv 2505.23416",
             .queryAgnostic = true,
             .parameters = kvzipParameters(),
             .extraPasses = 1},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<KvzipScorer>(plan, "kvzip");
            },
            Composition::SharedScorer,
            Allocator::Global};
}

} // namespace engine
