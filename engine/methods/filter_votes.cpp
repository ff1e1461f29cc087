#include "engine/methods/filter_votes.h"

#include "kernels/pool.h"
#include "kernels/select.h"

#include <cmath>

namespace engine {

std::vector<float> filterVotes(const LayerStep& step, Scorer& scorer)
{
    const KvShape shape = step.store->shape();
    const std::uint32_t length = step.store->list(step.layer, 0).length();
    kernels::ScoreSpec spec;
    spec.scored = {0, length};
    spec.normaliser = kernels::Normaliser::None;
    spec.rows = kernels::RowReduction::Last;
    spec.heads = kernels::HeadReduction::Sum;
    spec.firstRow = step.rows.size() - 1;
    const std::vector<float> scores = scorer.run(spec);
    const float unscaled = std::sqrt(static_cast<float>(shape.headDim));
    std::vector<float> votes(length);
    for (std::size_t i = 0; i < scores.size(); ++i)
        votes[i % length] += scores[i];
    for (float& vote : votes)
        vote *= unscaled;
    return votes;
}

std::vector<std::uint32_t> filterTokens(std::span<const float> votes,
                                        const kernels::EntryRange& eligible, std::size_t places,
                                        std::uint32_t kernel)
{
    std::vector<float> pooled(votes.size());
    kernels::cpu::avgPool(pooled, votes, kernel, kernels::cpu::PoolEdge::Zeros);
    const std::size_t count = eligible.end - eligible.begin;
    std::vector<std::uint32_t> chosen = kernels::cpu::selectTop(
        std::span(pooled).subspan(eligible.begin, count), votes.subspan(eligible.begin, count),
        places, kernels::cpu::TieRule::LowerIndex);
    for (std::uint32_t& each : chosen)
        each += eligible.begin;
    return chosen;
}

} // namespace engine
