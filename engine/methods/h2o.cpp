// H2O (Zhang et al. 2023, arXiv 2306.14048): tokens that drew the most attention over all rows
// ("heavy hitters") and the most recent ones stay. The sums run over every row of the document and
// the heads of a group and are cut once after reading; selection.md 3.4. They are not divided by
// age, so early tokens are favoured, as in the paper; observed-attention removes that. The eviction
// goes on while questions are answered, in each conversation's own copy (eviction_answer.h).

#include "engine/dialog/context.h"
#include "engine/methods/eviction_answer.h"
#include "engine/methods/scorer_method.h"
#include "engine/model/model.h"

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

    /// The sums of what stayed; nothing where nothing is evicted later.
    std::vector<std::byte> artefactState() const override
    {
        return m_state.scores.empty() ? std::vector<std::byte>() : m_state.write();
    }

private:
    LayerScores scoresOf(const KvStore& /*store*/, std::uint32_t layer) override
    {
        return {plan().kvHeads, eligibleRows(), sums(layer), {}};
    }

    void afterSelection(const KvStore& store) override
    {
        if (plan().setting("answers") == 0)
            return;
        m_state.recent = recentRows(plan());
        for (std::uint32_t layer = 0; layer < plan().layers; ++layer) {
            for (std::uint32_t head = 0; head < plan().kvHeads; ++head) {
                const KvList& list = store.list(layer, head);
                std::vector<float> kept(list.length());
                for (std::uint32_t entry = 0; entry < kept.size(); ++entry) {
                    if (list.row(entry) >= eligible().begin)
                        kept[entry] = sumOf(layer, head, list.row(entry));
                }
                m_state.scores.push_back(std::move(kept));
            }
        }
    }

    EvictionAnswer::State m_state;
};

std::unique_ptr<AnswerMethod> answerFrom(const Context& context, LoadedModel& model)
{
    if (context.methodState().empty())
        return std::make_unique<PlainAnswer>();
    return std::make_unique<EvictionAnswer>(model.backend(), EvictionAnswer::Rule::HeavyHitters,
                                            EvictionAnswer::State::read(context.methodState()),
                                            context.prefixRows(), context.store());
}

} // namespace

MethodEntry h2oMethod()
{
    MethodEntry entry{
        {.id = "h2o",
         .title = "Heavy hitters and the end (H2O)",
         .description =
             "Keeps what the text itself attended to most, and its last part. Favours the "
             "beginning; shown for comparison.",
         .source = "Zhang et al. 2023, arXiv 2306.14048",
         .queryAgnostic = true,
         .parameters = {{"recent", "part of the budget that the last tokens get (percent)", 0, 100,
                         50},
                        {"answers", "1: eviction goes on in answers; 0: only after reading", 0, 1,
                         1}}},
        [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
            return std::make_unique<H2oMethod>(plan);
        },
        Composition::SharedScorer,
        Allocator::Uniform,
        false};
    entry.answer = answerFrom;
    return entry;
}

} // namespace engine
