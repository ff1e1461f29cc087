#include "engine/methods/distant_selection.h"

#include "engine/kv/byte_stream.h"
#include "kernels/pool.h"

#include <algorithm>

namespace engine {
namespace {

constexpr const char* kName = "pod+snapkv";

/// The budget pays for first and recent tokens first.
void checkBudget(const DocumentPlan& plan, const SharedKeys& keys)
{
    const std::uint64_t near =
        std::uint64_t{keys.sinks} - std::min(keys.sinks, plan.prefixRows()) + keys.recent;
    if (plan.keptPerHead() >= plan.documentRows() || plan.keptPerHead() > near)
        return;
    throw Error(ErrorCode::BadInput,
                "The method pod+snapkv keeps " + std::to_string(near) +
                    " first and recent tokens in any case, but only " +
                    std::to_string(plan.keptPerHead()) + " of " +
                    std::to_string(plan.documentRows()) +
                    " may stay. Raise keep, or lower the settings sinks or recent.");
}

} // namespace

DistantSelection::DistantSelection(const DocumentPlan& plan, const SharedKeys& keys)
    : m_competition((checkBudget(plan, keys), plan), kName, {keys.sinks, keys.recent})
    , m_votingRows(std::min(static_cast<std::uint32_t>(plan.setting("votes")), keys.recent))
    , m_kernel(static_cast<std::uint32_t>(plan.setting("kernel")))
    , m_votes(plan.layers)
{
    if (m_kernel % 2 == 0)
        throw Error(ErrorCode::BadInput, "The setting kernel of pod+snapkv must be odd.");
}

void DistantSelection::vote(const LayerStep& step, Scorer& scorer)
{
    kernels::ScoreSpec spec;
    spec.scored = m_competition.eligible();
    if (spec.scored.begin == spec.scored.end)
        return;
    spec.normaliser = kernels::Normaliser::Full;
    spec.rows = kernels::RowReduction::Sum;
    spec.heads = kernels::HeadReduction::Mean;
    spec.firstRow = step.rows.size() - m_votingRows;
    // Heads with keys of their own see everything in the first segment; others do not decide.
    m_votes[step.layer] = scorer.run(spec);
}

std::vector<std::byte> DistantSelection::state() const
{
    ByteWriter writer;
    for (const std::vector<float>& layer : m_votes)
        writer.putArray(std::span<const float>(layer));
    return writer.take();
}

void DistantSelection::restore(std::span<const std::byte> state)
{
    ByteReader reader(state, "The saved progress of PoD");
    const kernels::EntryRange scored = m_competition.eligible();
    const std::size_t size = std::size_t{scored.end - scored.begin} * m_competition.plan().kvHeads;
    for (std::vector<float>& layer : m_votes) {
        layer = reader.getArray<float>("votes");
        if (!layer.empty() && layer.size() != size)
            reader.fail("votes");
    }
    reader.expectEnd();
}

void DistantSelection::decide(const LayerGroups& groups, KvStore& store)
{
    const kernels::EntryRange scored = m_competition.eligible();
    const std::uint32_t count = scored.end - scored.begin;
    std::vector<LayerScores> scores;
    for (std::uint32_t layer = 0; layer < groups.layers; ++layer) {
        LayerScores& each = scores.emplace_back();
        each.heads = groups.kvHeads;
        each.tokens = count;
        each.score.resize(std::size_t{groups.kvHeads} * count);
        each.raw.resize(each.score.size());
        for (std::uint32_t head = 0; head < groups.kvHeads; ++head) {
            const std::size_t at = std::size_t{head} * count;
            const std::span<const float> votes =
                std::span<const float>(m_votes[groups.ownerOf(layer, head)]).subspan(at, count);
            std::ranges::copy(votes, each.raw.begin() + static_cast<std::ptrdiff_t>(at));
            kernels::cpu::avgPool(std::span(each.score).subspan(at, count), votes, m_kernel,
                                  kernels::cpu::PoolEdge::Zeros);
        }
    }
    m_competition.decide(store, std::move(scores));
}

std::size_t DistantSelection::bytes() const
{
    std::size_t total = 0;
    for (const std::vector<float>& layer : m_votes)
        total += layer.capacity() * sizeof(float);
    return total;
}

} // namespace engine
