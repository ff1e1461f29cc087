#include "engine/methods/selection.h"

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
        if (!layers.empty())
            m_ties = layers.front().ties;
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
        for (const std::uint32_t index : selectTop(m_score, m_raw, count, m_ties))
            lists[index % m_cells].push_back(static_cast<std::uint32_t>(index / m_cells));
        return lists;
    }

private:
    std::size_t m_cells = 0; // lists: (layer, head)
    std::vector<float> m_score;
    std::vector<float> m_raw;
    TieRule m_ties = TieRule::LowerIndex;
};

std::vector<std::uint32_t> bestOf(const LayerScores& scores, std::uint32_t head, std::size_t places)
{
    return selectTop(headOf(scores.score, scores, head), headOf(scores.raw, scores, head), places,
                     scores.ties);
}

} // namespace

HeadLists selectUniform(const LayerScores& scores, std::size_t places)
{
    HeadLists lists;
    for (std::uint32_t head = 0; head < scores.heads; ++head)
        lists.push_back(bestOf(scores, head, places));
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

std::vector<std::uint32_t> adaKvCounts(const LayerScores& scores, std::uint32_t places,
                                       double floor, bool normalised)
{
    LayerScores counted = scores;
    for (std::uint32_t head = 0; head < scores.heads && normalised; ++head) {
        const auto own =
            std::span(counted.score).subspan(std::size_t{head} * scores.tokens, scores.tokens);
        double best = 0;
        for (const std::uint32_t token : bestOf(scores, head, places))
            best += static_cast<double>(own[token]);
        const double sum = std::accumulate(own.begin(), own.end(), 0.0);
        for (float& each : own)
            each = static_cast<float>(static_cast<double>(each) * (sum == 0 ? 0 : best / sum));
    }
    counted.raw.clear();
    const HeadLists top = TokenMajor({&counted, 1}).top(std::size_t{places} * scores.heads);
    std::vector<std::uint32_t> counts;
    for (const auto& list : top) {
        const double exact =
            static_cast<double>(list.size()) * (1 - floor) + std::floor(places * floor);
        counts.push_back(
            std::min(static_cast<std::uint32_t>(std::nearbyint(exact)), scores.tokens));
    }
    return counts;
}

std::vector<HeadLists> selectGlobal(std::span<const LayerScores> scores, std::size_t places)
{
    HeadLists lists = TokenMajor(scores).top(places);
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

void spreadChunkMeans(LayerScores& scores, std::span<const std::uint32_t> chunkOf)
{
    std::vector<double> own(scores.tokens);
    for (std::size_t i = 0; i < scores.score.size(); ++i) {
        const auto score = static_cast<double>(scores.score[i]);
        own[i % scores.tokens] += scores.logarithmic ? std::exp(score) : score;
    }
    std::vector<float> means(scores.tokens);
    for (std::size_t begin = 0, end = 0; begin < own.size(); begin = end) {
        double sum = 0;
        for (end = begin; end < own.size() && chunkOf[end] == chunkOf[begin]; ++end)
            sum += own[end];
        std::fill(means.begin() + static_cast<std::ptrdiff_t>(begin),
                  means.begin() + static_cast<std::ptrdiff_t>(end),
                  static_cast<float>(sum / static_cast<double>(end - begin)));
    }
    scores.raw.resize(scores.score.size());
    for (std::size_t i = 0; i < scores.score.size(); ++i) {
        scores.score[i] = means[i % scores.tokens];
        scores.raw[i] = static_cast<float>(own[i % scores.tokens]);
    }
    scores.logarithmic = false;
}

namespace {

HeadLists selectByAdaKv(const DocumentPlan& plan, const LayerScores& scores, const Places& places)
{
    const double floor = plan.setting("floor") / 100;
    const auto variant = static_cast<int>(plan.setting("variant"));
    if (variant != 0) {
        const auto counts = adaKvCounts(scores, places.perHead, floor, variant == 2);
        HeadLists lists;
        for (std::uint32_t head = 0; head < scores.heads; ++head)
            lists.push_back(bestOf(scores, head, counts[head]));
        return lists;
    }
    const auto safe =
        static_cast<std::uint32_t>(std::floor(floor * (places.perHead + places.protectedRows)));
    return selectAdaKv(scores, places.perHead, safe - std::min(safe, places.protectedRows));
}

} // namespace

std::vector<HeadLists> allocate(const DocumentPlan& plan, std::span<const LayerScores> scores,
                                const Places& places)
{
    const Allocator allocator = plan.stages.allocator.value_or(Allocator::Uniform);
    if (allocator == Allocator::Global)
        return selectGlobal(scores, places.inAll);
    std::vector<std::uint32_t> ofLayer(scores.size(), places.perHead);
    if (allocator == Allocator::Pyramid) {
        const std::uint32_t tokens = scores.front().tokens;
        ofLayer = pyramidPlaces(places.perHead, tokens, tokens + places.protectedRows, plan.layers,
                                plan.setting("beta"));
    }
    std::vector<HeadLists> chosen;
    for (std::size_t layer = 0; layer < scores.size(); ++layer) {
        chosen.push_back(allocator == Allocator::AdaKv
                             ? selectByAdaKv(plan, scores[layer], places)
                             : selectUniform(scores[layer], ofLayer[layer]));
    }
    return chosen;
}

std::vector<std::uint64_t> proportionalShares(std::uint64_t total,
                                              std::span<const std::uint64_t> weights)
{
    const auto sum =
        static_cast<double>(std::accumulate(weights.begin(), weights.end(), std::uint64_t{0}));
    std::vector<std::uint64_t> shares;
    std::uint64_t running = 0;
    std::uint64_t given = 0;
    for (const std::uint64_t weight : weights) {
        running += weight;
        const auto upTo = static_cast<std::uint64_t>(
            sum == 0 ? 0
                     : std::floor(static_cast<double>(total) * static_cast<double>(running) / sum +
                                  0.5));
        shares.push_back(upTo - given);
        given = upTo;
    }
    return shares;
}

} // namespace engine
