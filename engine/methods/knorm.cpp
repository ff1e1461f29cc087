// Knorm (Devoto et al. 2024, arXiv 2406.11430): keys of small norm stay. Pure geometry of the keys,
// blind to any question; selection.md 3.14. Deviation: the first tokens always stay.

#include "engine/methods/score_math.h"
#include "engine/methods/scorer_method.h"

namespace engine {
namespace {

class KnormMethod final : public CacheScorer
{
public:
    explicit KnormMethod(const DocumentPlan& plan)
        : CacheScorer(plan, "knorm",
                      {.sinks = static_cast<std::uint32_t>(plan.setting("sinks")), .window = 0})
    {}

private:
    std::vector<float> scoresOfHead(std::uint32_t /*layer*/, std::uint32_t /*head*/,
                                    std::span<const float> keys,
                                    std::span<const float> /*values*/) override
    {
        return keyNormScores(keys, plan().headDim);
    }
};

} // namespace

MethodEntry knormMethod()
{
    return {{.id = "knorm",
             .title = "Short keys (Knorm)",
             .description =
                 "Keeps the keys of small norm. Costs nothing and knows nothing of the text; "
                 "shown for comparison.",
             .source = "Devoto et al. 2024, arXiv 2406.11430",
             .queryAgnostic = true,
             .parameters = {{"sinks", "first tokens that always stay (tokens)", 0, 1024, 4}}},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<KnormMethod>(plan);
            },
            Composition::HeadScorer,
            Allocator::Uniform};
}

} // namespace engine
