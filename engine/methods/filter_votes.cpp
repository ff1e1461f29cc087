#include "engine/methods/filter_votes.h"

#include "engine/error.h"
#include "kernels/pool.h"
#include "kernels/select.h"

#include <cmath>
#include <numeric>
#include <string>

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

void checkFilterQuota(std::size_t prefix, std::size_t question, const FilterQuota& quota)
{
    if (quota.select > prefix + question)
        return;
    throw Error(ErrorCode::BadInput,
                "The question and the text before the document have " +
                    std::to_string(prefix + question) + " tokens, but answers are made from " +
                    std::to_string(quota.select) +
                    " in all. Ask a shorter question, or prepare the document with a larger "
                    "setting select.");
}

std::vector<std::uint32_t> rowsForQuestion(std::span<const float> votes, std::size_t prefix,
                                           std::size_t question, const FilterQuota& quota)
{
    const std::size_t before = votes.size() - question;
    const bool takesAll = quota.select >= votes.size();
    if (!takesAll)
        checkFilterQuota(prefix, question, quota);
    std::vector<std::uint32_t> rows(takesAll ? before : prefix);
    std::iota(rows.begin(), rows.end(), 0U);
    if (takesAll)
        return rows;
    const auto best = filterTokens(
        votes, {static_cast<std::uint32_t>(prefix), static_cast<std::uint32_t>(before)},
        quota.select - prefix - question, quota.kernel);
    rows.insert(rows.end(), best.begin(), best.end());
    return rows;
}

} // namespace engine
