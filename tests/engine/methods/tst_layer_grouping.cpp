#include "engine/methods/layer_grouping.h"

#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <random>

namespace {

using namespace engine;

std::vector<float> randomFloats(std::size_t count, std::uint32_t seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> bell(0.0F, 1.0F);
    std::vector<float> values(count);
    for (float& value : values)
        value = bell(random);
    return values;
}

AttentionWeights randomWeights(std::uint32_t seed)
{
    return lastRowsWeights(randomFloats(std::size_t{24} * 4 * 8, seed),
                           randomFloats(std::size_t{24} * 2 * 8, seed + 1), 24, 4, 2, 6, 1.0F);
}

/// Compares every layer with every other.
LayerSimilarity similarityOf(const std::vector<AttentionWeights>& layers)
{
    LayerSimilarity similarity(static_cast<std::uint32_t>(layers.size()), 2);
    for (std::uint32_t a = 0; a < layers.size(); ++a) {
        for (std::uint32_t b = a + 1; b < layers.size(); ++b)
            similarity.compare(a, layers[a], b, layers[b]);
    }
    return similarity;
}

} // namespace

TEST_CASE("the divergence has the values of structural.md 5.2")
{
    const std::vector<float> even{0.5F, 0.5F};
    const std::vector<float> skewed{0.9F, 0.1F};
    CHECK(jensenShannonDivergence(even, skewed) == doctest::Approx(0.146793102).epsilon(1e-6));
    CHECK(jensenShannonDivergence(skewed, even) == doctest::Approx(0.146793102).epsilon(1e-6));
    CHECK(jensenShannonDivergence(even, even) == 0.0);
    CHECK(jensenShannonDivergence(std::vector<float>{1, 0}, std::vector<float>{0, 1}) ==
          doctest::Approx(1.0));
}

TEST_CASE("weights are causal, sum to one and follow the logits")
{
    const std::size_t count = 5;
    const auto weights = lastRowsWeights(randomFloats(count * 2 * 8, 1), randomFloats(count * 8, 2),
                                         count, 2, 1, 3, 0.5F);
    for (std::size_t head = 0; head < 2; ++head) {
        for (std::size_t row = 0; row < 3; ++row) {
            const auto each = weights.row(head, row);
            CHECK(std::accumulate(each.begin(), each.end(), 0.0F) == doctest::Approx(1.0));
            for (std::size_t j = count - 3 + row + 1; j < count; ++j)
                CHECK(each[j] == 0.0F);
        }
    }
    // One dimension and hand-made numbers: logits 0, ln 3 give 1/4 and 3/4.
    const std::vector<float> query{0.0F, 1.0F};
    const std::vector<float> key{0.0F, std::log(3.0F)};
    const auto hand = lastRowsWeights(query, key, 2, 1, 1, 1, 1.0F);
    CHECK(hand.row(0, 0)[0] == doctest::Approx(0.25));
    CHECK(hand.row(0, 0)[1] == doctest::Approx(0.75));
}

TEST_CASE("P7: identical layers make one block, random ones a block each")
{
    const std::vector<AttentionWeights> same(5, randomWeights(3));
    const LayerGroups one = groupLayers(similarityOf(same), 0.99);
    CHECK(one.blocks() == 2); // one for each KV head
    CHECK(one.ownerOf(4, 1) == 0);

    std::vector<AttentionWeights> different;
    for (std::uint32_t layer = 0; layer < 5; ++layer)
        different.push_back(randomWeights(100 + 10 * layer));
    const LayerGroups many = groupLayers(similarityOf(different), 0.99);
    CHECK(many.blocks() == 10);
    CHECK(many.owner == identityGroups(5, 2).owner);
}

TEST_CASE("a block ends where a layer differs from the block's lowest, per KV head")
{
    LayerSimilarity similarity(4, 2);
    std::vector<float> values(2 * 4 * 4, 0.0F);
    const auto set = [&](std::size_t head, std::size_t a, std::size_t b, float value) {
        values[(head * 4 + a) * 4 + b] = values[(head * 4 + b) * 4 + a] = value;
    };
    set(0, 0, 1, 0.8F); // head 0: 1 joins 0; 2 is like 1 but not like 0, so it begins a block
    set(0, 1, 2, 0.9F);
    set(0, 0, 2, 0.4F);
    set(0, 2, 3, 0.6F);
    set(1, 2, 3, 0.5F); // head 1: exactly at the threshold joins
    REQUIRE(similarity.restore(values));
    const LayerGroups groups = groupLayers(similarity, 0.5);
    CHECK(groups.owner == std::vector<std::uint32_t>{0, 0, 0, 1, 2, 2, 2, 2});
    CHECK(groups.blocks() == 5);
    CHECK_FALSE(similarity.restore(std::vector<float>(31, 0.5F)));
    CHECK_FALSE(similarity.restore(std::vector<float>(32, 1.5F)));
    CHECK_FALSE(similarity.restore(std::vector<float>(32, std::nanf(""))));
}

TEST_CASE("the saving has the figures of structural.md 5.4")
{
    // 80 % of the lists are not owners: 35 % at 32,768 tokens with 16 + 4,080 proximal ones.
    const LayerGroups groups = fixedGroups(10, 2, 5);
    CHECK(groups.blocks() == 4);
    const auto percent = [&](std::uint64_t tokens) {
        return 100 * sharedKeySaving(groups, tokens, 16 + 4080);
    };
    CHECK(percent(32768) == doctest::Approx(35.0));
    CHECK(percent(8192) == doctest::Approx(20.0));
    CHECK(percent(16384) == doctest::Approx(30.0));
    CHECK(percent(65536) == doctest::Approx(37.5));
    CHECK(percent(131072) == doctest::Approx(38.75));
    CHECK(percent(4096) == 0.0);
    CHECK(sharedKeySaving(identityGroups(10, 2), 32768, 4096) == 0.0);
}
