// Which layers attend alike, so that they can share keys: PoD (proximal over distant),
// structural.md 5.2. Where the paper leaves a choice open, the comparison is with the lowest layer
// of the block, since its keys are the ones that are used, and with the mean over the query heads
// of a KV head.

#include "engine/methods/layer_grouping.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace engine {
namespace {

/// p * log2(p / mean), 0 where p is 0.
double divergenceTerm(double p, double mean)
{
    return p > 0 ? p * std::log2(p / mean) : 0.0;
}

void softmax(std::span<float> logits)
{
    const float largest = *std::ranges::max_element(logits);
    double sum = 0;
    for (float& logit : logits) {
        logit = std::exp(logit - largest);
        sum += static_cast<double>(logit);
    }
    for (float& logit : logits)
        logit = static_cast<float>(static_cast<double>(logit) / sum);
}

} // namespace

double jensenShannonDivergence(std::span<const float> p, std::span<const float> q)
{
    assert(p.size() == q.size());
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const auto left = static_cast<double>(p[i]);
        const auto right = static_cast<double>(q[i]);
        const double mean = (left + right) / 2;
        sum += divergenceTerm(left, mean) + divergenceTerm(right, mean);
    }
    return std::clamp(sum / 2, 0.0, 1.0);
}

AttentionWeights lastRowsWeights(std::span<const float> query, std::span<const float> key,
                                 std::size_t count, std::size_t heads, std::size_t kvHeads,
                                 std::size_t rows, float scale)
{
    assert(rows <= count && query.size() % (count * heads) == 0);
    const std::size_t dim = query.size() / (count * heads);
    AttentionWeights result{heads, rows, count, std::vector<float>(heads * rows * count)};
    for (std::size_t head = 0; head < heads; ++head) {
        const std::size_t kvHead = head / (heads / kvHeads);
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t row = count - rows + r;
            const auto q = query.subspan((row * heads + head) * dim, dim);
            const auto out = std::span(result.weights).subspan((head * rows + r) * count, row + 1);
            for (std::size_t j = 0; j <= row; ++j) {
                const auto k = key.subspan((j * kvHeads + kvHead) * dim, dim);
                float dot = 0;
                for (std::size_t c = 0; c < dim; ++c)
                    dot += q[c] * k[c];
                out[j] = scale * dot;
            }
            softmax(out);
        }
    }
    return result;
}

LayerSimilarity::LayerSimilarity(std::uint32_t layers, std::uint32_t kvHeads)
    : m_layers(layers)
    , m_kvHeads(kvHeads)
    , m_values(std::size_t{kvHeads} * layers * layers)
{
    for (std::uint32_t head = 0; head < kvHeads; ++head) {
        for (std::uint32_t layer = 0; layer < layers; ++layer)
            m_values[index(head, layer, layer)] = 1;
    }
}

void LayerSimilarity::compare(std::uint32_t a, const AttentionWeights& weightsOfA, std::uint32_t b,
                              const AttentionWeights& weightsOfB)
{
    const std::size_t groupSize = weightsOfA.heads / m_kvHeads;
    for (std::uint32_t head = 0; head < m_kvHeads; ++head) {
        double sum = 0;
        for (std::size_t member = head * groupSize; member < (head + 1) * groupSize; ++member) {
            for (std::size_t row = 0; row < weightsOfA.rows; ++row)
                sum += jensenShannonDivergence(weightsOfA.row(member, row),
                                               weightsOfB.row(member, row));
        }
        const double mean = sum / static_cast<double>(groupSize * weightsOfA.rows);
        m_values[index(head, a, b)] = m_values[index(head, b, a)] = static_cast<float>(1 - mean);
    }
}

bool LayerSimilarity::restore(std::vector<float> values)
{
    const auto outside = [](float value) { return !(value >= 0 && value <= 1); };
    if (values.size() != m_values.size() || std::ranges::any_of(values, outside))
        return false;
    m_values = std::move(values);
    return true;
}

std::uint32_t LayerGroups::blocks() const
{
    std::uint32_t count = 0;
    for (std::uint32_t layer = 0; layer < layers; ++layer) {
        for (std::uint32_t head = 0; head < kvHeads; ++head)
            count += ownerOf(layer, head) == layer ? 1U : 0U;
    }
    return count;
}

LayerGroups identityGroups(std::uint32_t layers, std::uint32_t kvHeads)
{
    return fixedGroups(layers, kvHeads, 1);
}

LayerGroups groupLayers(const LayerSimilarity& similarity, double threshold)
{
    LayerGroups groups = identityGroups(similarity.layers(), similarity.kvHeads());
    for (std::uint32_t head = 0; head < groups.kvHeads; ++head) {
        std::uint32_t lowest = 0;
        for (std::uint32_t layer = 1; layer < groups.layers; ++layer) {
            if (static_cast<double>(similarity.at(head, layer, lowest)) < threshold)
                lowest = layer;
            groups.owner[std::size_t{layer} * groups.kvHeads + head] = lowest;
        }
    }
    return groups;
}

LayerGroups fixedGroups(std::uint32_t layers, std::uint32_t kvHeads, std::uint32_t size)
{
    LayerGroups groups{layers, kvHeads, {}};
    for (std::uint32_t layer = 0; layer < layers; ++layer)
        groups.owner.insert(groups.owner.end(), kvHeads, layer / size * size);
    return groups;
}

double sharedKeySaving(const LayerGroups& groups, std::uint64_t tokens, std::uint64_t proximal)
{
    if (tokens <= proximal)
        return 0;
    const double lists = static_cast<double>(groups.layers) * groups.kvHeads;
    return 0.5 * (1 - groups.blocks() / lists) * static_cast<double>(tokens - proximal) /
           static_cast<double>(tokens);
}

} // namespace engine
