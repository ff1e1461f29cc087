// TOVA (Oren et al. 2024, arXiv 2401.06104): what the last row attends to, averaged over all heads,
// stays; every head of a layer keeps the same tokens. Used after reading and then, in each
// conversation's own copy, after every token of an answer; selection.md 3.15.
// Deviation: the last tokens always stay unless `window` is 0, as in the authors' code.

#include "engine/dialog/context.h"
#include "engine/methods/eviction_answer.h"
#include "engine/methods/score_math.h"
#include "engine/methods/scorer_method.h"
#include "engine/model/model.h"

namespace engine {
namespace {

class TovaMethod final : public AttentionScorer
{
public:
    explicit TovaMethod(const DocumentPlan& plan)
        : AttentionScorer(
              plan, "tova",
              {.sinks = 0, .window = static_cast<std::uint32_t>(plan.setting("window"))},
              Votes::LastRow, kernels::HeadReduction::Mean)
    {}

    /// What always stays; nothing where nothing is evicted later.
    std::vector<std::byte> artefactState() const override
    {
        if (!selects() || plan().setting("answers") == 0)
            return {};
        return EvictionAnswer::State{static_cast<std::uint32_t>(plan().setting("window")), {}}
            .write();
    }

private:
    LayerScores scoresOf(const KvStore& /*store*/, std::uint32_t layer) override
    {
        return {plan().kvHeads, eligibleRows(), sharedByHeads(sums(layer), plan().kvHeads), {}};
    }
};

std::unique_ptr<AnswerMethod> answerFrom(const Context& context, LoadedModel& model)
{
    if (context.methodState().empty())
        return std::make_unique<PlainAnswer>();
    return std::make_unique<EvictionAnswer>(model.backend(), EvictionAnswer::Rule::LastRow,
                                            EvictionAnswer::State::read(context.methodState()),
                                            context.prefixRows(), context.store());
}

} // namespace

MethodEntry tovaMethod()
{
    MethodEntry entry{
        {.id = "tova",
         .title = "What the last token looked at (TOVA)",
         .description =
             "Keeps what the very last token attends to. Made for a question at the end; "
             "without one it is a weak choice, shown for comparison.",
         .source = "Oren et al. 2024, arXiv 2401.06104",
         .queryAgnostic = false,
         .parameters = {{"window", "last tokens that always stay (tokens)", 0, 4096, 1},
                        {"answers", "1: eviction goes on in answers; 0: only after reading", 0, 1,
                         1}}},
        [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
            return std::make_unique<TovaMethod>(plan);
        },
        Composition::SharedScorer,
        Allocator::Uniform};
    entry.answer = answerFrom;
    return entry;
}

} // namespace engine
