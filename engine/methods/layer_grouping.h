#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// Jensen-Shannon divergence of two distributions, logarithm to base 2: 0 for equal ones, 1 for
/// disjoint ones.
double jensenShannonDivergence(std::span<const float> p, std::span<const float> q);

/// Causal attention weights of some rows of one layer: (heads, rows, keys), each row summing to 1.
struct AttentionWeights
{
    std::size_t heads = 0;
    std::size_t rows = 0;
    std::size_t keys = 0;
    std::vector<float> weights;

    std::span<const float> row(std::size_t head, std::size_t index) const
    {
        return std::span(weights).subspan((head * rows + index) * keys, keys);
    }
};

/// The weights of the last `rows` of `count` rows. query (count, heads, headDim) and key (count,
/// kvHeads, headDim), both after RoPE; logits are scaled by `scale`.
AttentionWeights lastRowsWeights(std::span<const float> query, std::span<const float> key,
                                 std::size_t count, std::size_t heads, std::size_t kvHeads,
                                 std::size_t rows, float scale);

/// How alike the attention of the layers is, one symmetric (layers, layers) matrix per KV head.
class LayerSimilarity
{
public:
    LayerSimilarity(std::uint32_t layers, std::uint32_t kvHeads);

    std::uint32_t layers() const { return m_layers; }
    std::uint32_t kvHeads() const { return m_kvHeads; }
    float at(std::uint32_t head, std::uint32_t a, std::uint32_t b) const
    {
        return m_values[index(head, a, b)];
    }
    /// Sets the pair (a, b) of every KV head: 1 - divergence, averaged over the rows and over the
    /// query heads of the group (PoD, structural.md 5.2).
    void compare(std::uint32_t a, const AttentionWeights& weightsOfA, std::uint32_t b,
                 const AttentionWeights& weightsOfB);

    const std::vector<float>& values() const { return m_values; }
    /// False when the size is not that of values() or a number is not in [0, 1].
    bool restore(std::vector<float> values);

private:
    std::size_t index(std::uint32_t head, std::uint32_t a, std::uint32_t b) const
    {
        return (std::size_t{head} * m_layers + a) * m_layers + b;
    }

    std::uint32_t m_layers;
    std::uint32_t m_kvHeads;
    std::vector<float> m_values;
};

/// For each layer and KV head the layer whose keys it uses.
struct LayerGroups
{
    std::uint32_t layers = 0;
    std::uint32_t kvHeads = 0;
    std::vector<std::uint32_t> owner; // [layer][head]

    std::uint32_t ownerOf(std::uint32_t layer, std::uint32_t head) const
    {
        return owner[std::size_t{layer} * kvHeads + head];
    }
    /// Blocks of layers, summed over the KV heads.
    std::uint32_t blocks() const;
};

/// Every layer its own owner.
LayerGroups identityGroups(std::uint32_t layers, std::uint32_t kvHeads);

/// From the lowest layer upwards, head by head: a layer joins the block below it while its
/// similarity to the block's lowest layer is at least `threshold`.
LayerGroups groupLayers(const LayerSimilarity& similarity, double threshold);

/// Layers in consecutive groups of `size`, the same for all heads; the lowest of a group owns it.
LayerGroups fixedGroups(std::uint32_t layers, std::uint32_t kvHeads, std::uint32_t size);

/// Share of the bytes of a dense cache that sharing keys saves over a text of `tokens` of which
/// `proximal` (first and recent ones) keep keys of their own in every layer:
///   1/2 * (1 - blocks / (layers * kvHeads)) * max(0, tokens - proximal) / tokens
/// (structural.md 5.4).
double sharedKeySaving(const LayerGroups& groups, std::uint64_t tokens, std::uint64_t proximal);

} // namespace engine
