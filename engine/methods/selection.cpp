#include "engine/methods/selection.h"

#include "kernels/select.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace engine {
namespace {

using kernels::cpu::selectTop;
using kernels::cpu::TieRule;

std::span<const float> headOf(const std::vector<float>& values, const LayerScores& scores,
                              std::uint32_t head)
{
    if (values.empty())
        return {};
    return std::span<const float>(values).subspan(std::size_t{head} * scores.tokens, scores.tokens);
}

/// Scores of several layers laid out token by token, so that of equal scores the earlier token
/// comes first.
class TokenMajor
{
public:
    explicit TokenMajor(std::span<const LayerScores> layers)
    {
        std::size_t cells = 0;
        bool hasRaw = true;
        for (const LayerScores& layer : layers) {
            cells += layer.heads;
            hasRaw = hasRaw && !layer.raw.empty();
        }
        m_cells = cells;
        const std::size_t tokens = layers.empty() ? 0 : layers.front().tokens;
        m_score.resize(cells * tokens);
        m_raw.resize(hasRaw ? m_score.size() : 0);
        std::size_t cell = 0;
        for (const LayerScores& layer : layers) {
            for (std::uint32_t head = 0; head < layer.heads; ++head, ++cell) {
                for (std::size_t token = 0; token < tokens; ++token) {
                    const std::size_t from = head * tokens + token;
                    m_score[token * cells + cell] = layer.score[from];
                    if (hasRaw)
                        m_raw[token * cells + cell] = layer.raw[from];
                }
            }
        }
    }

    void guarantee(std::size_t cell, std::uint32_t token)
    {
        m_score[token * m_cells + cell] = std::numeric_limits<float>::infinity();
    }

    HeadLists top(std::size_t count) const
    {
        HeadLists lists(m_cells);
        for (const std::uint32_t index : selectTop(m_score, m_raw, count, TieRule::LowerIndex))
            lists[index % m_cells].push_back(static_cast<std::uint32_t>(index / m_cells));
        return lists;
    }

private:
    std::size_t m_cells = 0; // lists: (layer, head)
    std::vector<float> m_score;
    std::vector<float> m_raw;
};

/// Left aligned: entry s, read at position p, is turned by s - p. Only for lists of one length.
void moveToSlots(KvStore& store, const DocumentPlan& plan)
{
    const std::uint32_t length = store.list(0, 0).length();
    std::vector<std::int32_t> deltas(length);
    for (std::uint32_t layer = 0; layer < plan.layers; ++layer) {
        for (std::uint32_t head = 0; head < plan.kvHeads; ++head) {
            KvList& list = store.list(layer, head);
            for (std::uint32_t slot = 0; slot < length; ++slot)
                deltas[slot] = static_cast<std::int32_t>(slot) - store.position(list.row(slot));
            list.editKeys({0, length}, plan.headDim,
                          [&](std::span<float> keys) { plan.rotate(keys, deltas); });
        }
    }
    store.setNextPosition(static_cast<std::int32_t>(length));
}

} // namespace

HeadLists selectUniform(const LayerScores& scores, std::size_t places)
{
    HeadLists lists;
    for (std::uint32_t head = 0; head < scores.heads; ++head) {
        lists.push_back(selectTop(headOf(scores.score, scores, head),
                                  headOf(scores.raw, scores, head), places, TieRule::LowerIndex));
    }
    return lists;
}

HeadLists selectAdaKv(const LayerScores& scores, std::size_t places, std::size_t guaranteed)
{
    TokenMajor flat({&scores, 1});
    const HeadLists safe = selectUniform(scores, std::min(guaranteed, places));
    for (std::uint32_t head = 0; head < scores.heads; ++head) {
        for (const std::uint32_t token : safe[head])
            flat.guarantee(head, token);
    }
    return flat.top(places * scores.heads);
}

std::vector<HeadLists> selectGlobal(std::span<const LayerScores> scores, std::size_t places)
{
    std::size_t cells = 0;
    for (const LayerScores& layer : scores)
        cells += layer.heads;
    HeadLists lists = TokenMajor(scores).top(places * cells);
    std::vector<HeadLists> chosen;
    auto next = std::make_move_iterator(lists.begin());
    for (const LayerScores& layer : scores) {
        chosen.emplace_back(next, next + layer.heads);
        next += layer.heads;
    }
    return chosen;
}

std::vector<std::uint32_t> pyramidPlaces(std::uint32_t base, std::uint32_t tokens,
                                         std::uint32_t documentRows, std::uint32_t layers,
                                         double beta)
{
    if (layers <= 1 || documentRows < std::uint64_t{2} * base)
        return std::vector<std::uint32_t>(layers, base);
    double smallest = std::floor(base / beta);
    double largest = 2.0 * base - smallest;
    if (largest > tokens) {
        largest = tokens;
        smallest = 2.0 * base - largest;
    }
    std::vector<std::uint32_t> places(layers);
    double ideal = 0;
    double given = 0;
    for (std::uint32_t layer = 0; layer < layers; ++layer) {
        ideal += largest - (largest - smallest) * layer / (layers - 1.0);
        const double rounded = std::floor(0.5 + ideal);
        places[layer] = static_cast<std::uint32_t>(rounded - given);
        given = rounded;
    }
    // Rounding the running sum can swap neighbours and exceed the number of tokens by one.
    std::ranges::sort(places, std::greater());
    std::uint32_t excess = 0;
    for (std::uint32_t& each : places) {
        const std::uint32_t wanted = each + excess;
        each = std::min(wanted, tokens);
        excess = wanted - each;
    }
    return places;
}

std::vector<HeadLists> allocate(const DocumentPlan& plan, std::span<const LayerScores> scores,
                                std::uint32_t places, std::uint32_t protectedRows)
{
    const Allocator allocator = plan.stages.allocator.value_or(Allocator::Uniform);
    if (allocator == Allocator::Global)
        return selectGlobal(scores, places);
    std::vector<std::uint32_t> ofLayer(scores.size(), places);
    if (allocator == Allocator::Pyramid) {
        ofLayer = pyramidPlaces(places, scores.front().tokens, plan.documentRows(), plan.layers,
                                plan.setting("beta"));
    }
    std::vector<HeadLists> chosen;
    for (std::size_t layer = 0; layer < scores.size(); ++layer) {
        if (allocator == Allocator::AdaKv) {
            const auto safe = static_cast<std::uint32_t>(
                std::floor(plan.setting("floor") / 100 * (places + protectedRows)));
            chosen.push_back(selectAdaKv(scores[layer], places,
                                         safe > protectedRows ? safe - protectedRows : 0));
        } else {
            chosen.push_back(selectUniform(scores[layer], ofLayer[layer]));
        }
    }
    return chosen;
}

void applySelection(KvStore& store, const DocumentPlan& plan, kernels::EntryRange eligible,
                    std::span<const HeadLists> chosen)
{
    std::vector<std::uint32_t> kept;
    for (std::uint32_t layer = 0; layer < plan.layers; ++layer) {
        for (std::uint32_t head = 0; head < plan.kvHeads; ++head) {
            kept.resize(eligible.begin);
            std::iota(kept.begin(), kept.end(), 0U);
            for (const std::uint32_t token : chosen[layer][head])
                kept.push_back(eligible.begin + token);
            for (std::uint32_t row = eligible.end; row < plan.totalRows(); ++row)
                kept.push_back(row);
            store.list(layer, head).keep(kept, plan.headDim);
        }
    }
    if (plan.stages.compact)
        moveToSlots(store, plan);
}

} // namespace engine
