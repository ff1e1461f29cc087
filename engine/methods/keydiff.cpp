// KeyDiff (Park et al. 2025, arXiv 2504.15364): keys that differ most from the average direction of
// their head stay. Pure geometry of the keys, blind to any question; selection.md 3.14. The average
// is over all competing keys, not over blocks of a stream. Deviation: the first tokens always stay.

#include "engine/methods/score_math.h"
#include "engine/methods/scorer_method.h"

namespace engine {
namespace {

class KeydiffMethod final : public CacheScorer
{
public:
    explicit KeydiffMethod(const DocumentPlan& plan)
        : CacheScorer(plan, "keydiff",
                      {.sinks = static_cast<std::uint32_t>(plan.setting("sinks")), .window = 0})
    {}

private:
    std::vector<float> scoresOfHead(std::uint32_t /*layer*/, std::uint32_t /*head*/,
                                    std::span<const float> keys,
                                    std::span<const float> /*values*/) override
    {
        return keyDifferenceScores(keys, plan().headDim);
    }
};

} // namespace

MethodEntry keydiffMethod()
{
    return {{.id = "keydiff",
             .title = "Unusual keys (KeyDiff)",
             .description =
                 "Keeps the keys that point away from the average. As quick as reading alone, "
                 "whatever you ask later.",
             .source = "Park et al. 2025, arXiv 2504.15364",
             .queryAgnostic = true,
             .parameters = {{"sinks", "first tokens that always stay (tokens)", 0, 1024, 4}}},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<KeydiffMethod>(plan);
            },
            Composition::SharedScorer,
            Allocator::Uniform};
}

} // namespace engine
