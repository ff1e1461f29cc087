// Chance: the lower end of any comparison. A score is a hash of seed, layer, head and token (the
// mixing function of SplitMix64, Steele et al. 2014), so it depends neither on blocks nor on
// threads.

#include "engine/methods/scorer_method.h"
#include "engine/methods/seeded_bits.h"

namespace engine {
namespace {

class RandomMethod final : public CacheScorer
{
public:
    explicit RandomMethod(const DocumentPlan& plan)
        : CacheScorer(plan, "random",
                      {.sinks = static_cast<std::uint32_t>(plan.setting("sinks")), .window = 0})
        , m_seed(static_cast<std::uint64_t>(plan.setting("seed")))
    {}

private:
    std::vector<float> scoresOfHead(std::uint32_t layer, std::uint32_t head,
                                    std::span<const float> /*keys*/,
                                    std::span<const float> /*values*/) override
    {
        const std::uint64_t list =
            mixedBits(mixedBits(m_seed) + std::uint64_t{layer} * plan().kvHeads + head);
        std::vector<float> scores(eligibleRows());
        for (std::uint32_t token = 0; token < scores.size(); ++token)
            scores[token] = static_cast<float>(
                mixedBits(list + firstRow() - eligible().begin + token) >> 40U); // exact in a float
        return scores;
    }

    std::uint64_t m_seed;
};

} // namespace

MethodEntry randomMethod()
{
    return {{.id = "random",
             .title = "Chance",
             .description = "Keeps tokens at random. What a method has to beat.",
             .source = "a control of ours",
             .queryAgnostic = true,
             .parameters = {{"seed", "start of the random numbers", 0, 1e9, 1},
                            {"sinks", "first tokens that always stay (tokens)", 0, 1024, 4}}},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<RandomMethod>(plan);
            },
            Composition::SharedScorer,
            Allocator::Uniform};
}

} // namespace engine
