// The selection mathematics against the published figures of selection.md 6.3 to 6.7, on the
// tensors of its generator.

#include "engine/methods/query_statistics.h"
#include "engine/methods/score_math.h"
#include "engine/methods/selection.h"
#include "kernels/pool.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <functional>
#include <numeric>

namespace {

using namespace engine;
using List = std::vector<std::uint32_t>;

constexpr std::size_t kHeads = 4;
constexpr std::size_t kKvHeads = 2;
constexpr std::size_t kTokens = 24;
constexpr std::size_t kDim = 8;

/// (heads, tokens, channels) numbers in [-1, 1) from the generator of selection.md 6.1.
std::vector<float> tensor(std::uint32_t seed, std::size_t heads, float factor = 1)
{
    std::vector<float> values(heads * kTokens * kDim);
    for (float& each : values) {
        seed = seed * 1664525U + 1013904223U;
        each = factor * (static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F);
    }
    return values;
}

std::vector<float> queries()
{
    return tensor(11, kHeads, 3);
}
std::vector<float> keys()
{
    return tensor(22, kKvHeads);
}
std::vector<float> values()
{
    return tensor(33, kKvHeads);
}

/// The tokens [first, tokens) of a KV head.
std::vector<float> headOf(const std::vector<float>& all, std::size_t head, std::size_t first = 0)
{
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>((head * kTokens + first) * kDim);
    return {begin, begin + static_cast<std::ptrdiff_t>((kTokens - first) * kDim)};
}

/// (kvHeads, tokens): causal attention weights added over the rows from `firstRow` and averaged
/// over the group; of the first `tokens` tokens.
std::vector<float> columnMeans(std::size_t firstRow, std::size_t tokens)
{
    const auto q = queries();
    const auto k = keys();
    std::vector<double> sums(kKvHeads * tokens);
    for (std::size_t head = 0; head < kHeads; ++head) {
        const std::size_t kvHead = head / (kHeads / kKvHeads);
        for (std::size_t row = firstRow; row < kTokens; ++row) {
            std::vector<double> weights(row + 1);
            for (std::size_t j = 0; j <= row; ++j) {
                double product = 0;
                for (std::size_t c = 0; c < kDim; ++c)
                    product += static_cast<double>(q[(head * kTokens + row) * kDim + c]) *
                               static_cast<double>(k[(kvHead * kTokens + j) * kDim + c]);
                weights[j] = std::exp(product / std::sqrt(static_cast<double>(kDim)));
            }
            const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
            for (std::size_t j = 0; j <= row && j < tokens; ++j)
                sums[kvHead * tokens + j] += weights[j] / total / 2;
        }
    }
    return {sums.begin(), sums.end()};
}

LayerScores scoresOf(std::vector<float> score, std::vector<float> raw = {})
{
    const auto tokens = static_cast<std::uint32_t>(score.size() / kKvHeads);
    return {kKvHeads, tokens, std::move(score), std::move(raw)};
}

LayerScores pooledVotes()
{
    const std::vector<float> votes = columnMeans(20, 20);
    std::vector<float> pooled(votes.size());
    for (std::size_t at = 0; at < votes.size(); at += 20) {
        kernels::cpu::avgPool(std::span(pooled).subspan(at, 20), std::span(votes).subspan(at, 20),
                              5, kernels::cpu::PoolEdge::Zeros);
    }
    return scoresOf(pooled, votes);
}

/// Rotary turning of pairs (c, c + dim / 2), base 10,000.
void rotate(std::span<float> vectors, std::span<const std::int32_t> positions)
{
    for (std::size_t i = 0; i < positions.size(); ++i) {
        for (std::size_t c = 0; c < kDim / 2; ++c) {
            const double angle = positions[i] * std::pow(1e4, -2.0 * static_cast<double>(c) / kDim);
            float& first = vectors[i * kDim + c];
            float& second = vectors[i * kDim + c + kDim / 2];
            const double a = static_cast<double>(first);
            const double b = static_cast<double>(second);
            first = static_cast<float>(a * std::cos(angle) - b * std::sin(angle));
            second = static_cast<float>(a * std::sin(angle) + b * std::cos(angle));
        }
    }
}

/// Cuts a range into pieces, the last one first.
ParallelFor piecesOf(std::size_t length)
{
    return [length](std::size_t count, std::size_t /*grain*/,
                    const std::function<void(std::size_t, std::size_t)>& work) {
        for (std::size_t end = count; end > 0; end = (end - 1) / length * length)
            work((end - 1) / length * length, end);
    };
}

/// Expected Attention of the golden tensors: horizon 16 from 24, the first two tokens left out.
LayerScores expectedScores(bool withCovariance)
{
    const auto q = queries();
    const auto k = keys();
    const auto v = values();
    const auto rotation = meanRotation(kDim, 24, 16, rotate);
    std::vector<float> scores;
    for (std::size_t kvHead = 0; kvHead < kKvHeads; ++kvHead) {
        std::vector<ExpectedQuery> group;
        for (std::size_t head = 2 * kvHead; head < 2 * kvHead + 2; ++head) {
            QueryStatistics statistics(kDim, withCovariance);
            for (std::size_t row = 2; row < kTokens; ++row)
                statistics.add(std::span(q).subspan((head * kTokens + row) * kDim, kDim));
            group.push_back(expectedQuery(statistics, rotation, 1.0));
        }
        const auto each = expectedAttentionScores(group, headOf(k, kvHead, 2), headOf(v, kvHead, 2),
                                                  1.0F / std::sqrt(8.0F));
        scores.insert(scores.end(), each.begin(), each.end());
    }
    return scoresOf(scores);
}

} // namespace

TEST_CASE("6.1: the generator")
{
    CHECK(queries()[0] == doctest::Approx(-1.558014));
    CHECK(keys()[2] == doctest::Approx(0.766231));
    CHECK(values()[(1 * kTokens + 23) * kDim + 7] == doctest::Approx(-0.747258));
}

TEST_CASE("6.3: SnapKV, mean of the group, average of five neighbours")
{
    const HeadLists lists = selectUniform(pooledVotes(), 8);
    CHECK(lists[0] == List{2, 3, 9, 10, 11, 12, 13, 14});
    CHECK(lists[1] == List{4, 5, 6, 7, 8, 9, 16, 17});
}

TEST_CASE("6.3: SnapKV with maxima of seven, ties by the raw score")
{
    const std::vector<float> votes = columnMeans(20, 20);
    std::vector<float> pooled(votes.size());
    for (std::size_t at = 0; at < votes.size(); at += 20)
        kernels::cpu::maxPool(std::span(pooled).subspan(at, 20), std::span(votes).subspan(at, 20),
                              7);
    const HeadLists lists = selectUniform(scoresOf(pooled, votes), 8);
    CHECK(lists[0] == List{4, 8, 9, 10, 11, 12, 13, 14});
    CHECK(lists[1] == List{4, 7, 9, 15, 16, 17, 18, 19});
}

TEST_CASE("what SnapKV keeps has more of the voting rows' attention than the ends or chance have")
{
    const std::vector<float> votes = columnMeans(20, 20);
    const HeadLists lists = selectUniform(pooledVotes(), 8);
    for (std::size_t head = 0; head < kKvHeads; ++head) {
        const auto mass = [&](const List& kept) {
            double sum = 0;
            for (const std::uint32_t token : kept)
                sum += static_cast<double>(votes[head * 20 + token]);
            return sum;
        };
        CHECK(mass(lists[head]) > mass({0, 1, 2, 3, 16, 17, 18, 19}));
        std::vector<std::uint32_t> all(20);
        std::iota(all.begin(), all.end(), 0U);
        CHECK(mass(lists[head]) > mass(all) * 8 / 20); // the mean over all choices of eight
    }
}

TEST_CASE("6.4: PyramidKV's places add up exactly and never grow")
{
    const auto places = pyramidPlaces(120, 7992, 8000, 32, 20);
    CHECK(std::accumulate(places.begin(), places.end(), 0U) == 3840);
    CHECK(List(places.begin(), places.begin() + 4) == List{234, 227, 219, 212});
    CHECK(List(places.end() - 3, places.end()) == List{21, 13, 6});
    CHECK(pyramidPlaces(56, 992, 1000, 4, 20) == List{110, 74, 38, 2});
    const auto wide = pyramidPlaces(2040, 31992, 32000, 32, 20);
    CHECK(std::accumulate(wide.begin(), wide.end(), 0U) == 65280); // the published one has 65296
    CHECK(pyramidPlaces(56, 992, 1000, 4, 1) == List{56, 56, 56, 56});
    CHECK(pyramidPlaces(56, 92, 100, 3, 20) == List{56, 56, 56});
    for (std::uint32_t base = 1; base < 60; ++base) {
        const auto each = pyramidPlaces(base, 112, 120, 7, 20);
        INFO("base ", base);
        CHECK(std::accumulate(each.begin(), each.end(), 0U) == 7 * base);
        CHECK(std::ranges::is_sorted(each, std::greater()));
        CHECK(each.front() <= 112);
    }
}

TEST_CASE("6.5: H2O's heavy hitters, and the same divided by age")
{
    const HeadLists heavy = selectUniform(scoresOf(columnMeans(0, 20)), 8);
    CHECK(heavy[0] == List{0, 1, 2, 3, 4, 5, 6, 11});
    CHECK(heavy[1] == List{0, 1, 2, 3, 4, 5, 7, 8});
    const HeadLists aged = selectUniform(scoresOf(normalisedByAge(columnMeans(0, 24), 24, 24)), 12);
    CHECK(aged[0] == List{0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14});
    CHECK(aged[1] == List{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 18});
}

TEST_CASE("6.5b: TOVA, without and with the last token forced")
{
    const HeadLists free = selectUniform(scoresOf(sharedByHeads(columnMeans(23, 24), 2)), 8);
    CHECK(free[0] == List{3, 7, 9, 10, 17, 18, 21, 22});
    CHECK(free[1] == free[0]);
    const HeadLists forced = selectUniform(scoresOf(sharedByHeads(columnMeans(23, 23), 2)), 7);
    CHECK(forced[0] == List{7, 9, 10, 17, 18, 21, 22});
}

TEST_CASE("6.6: Expected Attention with and without the covariance")
{
    const auto rotation = meanRotation(kDim, 24, 16, rotate);
    CHECK(rotation[0] == doctest::Approx(0.128521).epsilon(1e-5));
    CHECK(rotation[4] == doctest::Approx(-0.010831).epsilon(1e-4));
    CHECK(rotation[3 * kDim + 3] == doctest::Approx(0.999493).epsilon(1e-5));
    const LayerScores scores = expectedScores(true);
    CHECK(scores.score[0] == doctest::Approx(0.064483).epsilon(1e-5));
    CHECK(scores.score[22] == doctest::Approx(0.059811).epsilon(1e-5));
    // Counted from token 2; 0 and 1 stay anyway.
    const HeadLists with = selectUniform(scores, 8);
    CHECK(with[0] == List{2, 3, 6, 7, 8, 9, 13, 21});
    CHECK(with[1] == List{2, 5, 6, 8, 10, 13, 14, 17});
    const HeadLists without = selectUniform(expectedScores(false), 8);
    CHECK(without[0] == List{1, 2, 3, 6, 8, 9, 13, 14});
    CHECK(without[1] == List{1, 2, 3, 4, 5, 6, 8, 9});
}

TEST_CASE("Expected Attention gives the same bits however its keys are cut")
{
    QueryStatistics statistics(kDim, true);
    const auto q = queries();
    for (std::size_t row = 2; row < kTokens; ++row)
        statistics.add(std::span(q).subspan(row * kDim, kDim));
    const std::vector<ExpectedQuery> group(
        2, expectedQuery(statistics, meanRotation(kDim, 24, 16, rotate), 1.0));
    const auto scores = [&](const ParallelFor& parallelFor) {
        return expectedAttentionScores(group, headOf(keys(), 0), headOf(values(), 0), 0.35F,
                                       parallelFor);
    };
    const std::vector<float> whole = scores(inOnePiece);
    for (const std::size_t length : {1U, 5U, 8U})
        CHECK(scores(piecesOf(length)) == whole);
}

TEST_CASE("6.6b: KeyDiff and Knorm")
{
    std::vector<float> difference;
    std::vector<float> norm;
    for (std::size_t head = 0; head < kKvHeads; ++head) {
        const auto d = keyDifferenceScores(headOf(keys(), head), kDim);
        const auto n = keyNormScores(headOf(keys(), head), kDim);
        difference.insert(difference.end(), d.begin(), d.end());
        norm.insert(norm.end(), n.begin(), n.end());
    }
    CHECK(difference[0] == doctest::Approx(-0.464878).epsilon(1e-5));
    CHECK(difference[24] == doctest::Approx(-0.303218).epsilon(1e-5));
    // The anchor is the mean of the keys at length 1, so its length is their mean cosine with it.
    const std::vector<double> lengths{0.167804, 0.269571};
    for (std::size_t head = 0; head < kKvHeads; ++head) {
        const auto begin = difference.begin() + static_cast<std::ptrdiff_t>(head * kTokens);
        CHECK(-std::accumulate(begin, begin + kTokens, 0.0) / kTokens ==
              doctest::Approx(lengths[head]).epsilon(1e-5));
    }
    const HeadLists different = selectUniform(scoresOf(difference), 8);
    CHECK(different[0] == List{2, 8, 10, 11, 12, 13, 17, 18});
    CHECK(different[1] == List{6, 8, 9, 11, 12, 15, 16, 21});
    const HeadLists small = selectUniform(scoresOf(norm), 8);
    CHECK(small[0] == List{3, 4, 6, 8, 10, 16, 20, 23});
    CHECK(small[1] == List{0, 1, 2, 10, 11, 14, 17, 23});
    const std::vector<float> equal(4 * kDim, 0.5F);
    for (const float score : keyDifferenceScores(equal, kDim))
        CHECK(score == doctest::Approx(-1));
}

TEST_CASE("6.7: AdaKV gives heads different numbers with an exact sum")
{
    // k = 10 with a window of 4: six places on average; a floor of 0.2 is below the window.
    const HeadLists lists = selectAdaKv(pooledVotes(), 6, 0);
    CHECK(lists[0] == List{9, 10, 11, 12, 13});
    CHECK(lists[1] == List{5, 6, 7, 8, 9, 16, 17});
    CHECK(selectAdaKv(pooledVotes(), 6, 6) == selectUniform(pooledVotes(), 6));
    const std::vector<LayerScores> layers{pooledVotes()};
    CHECK(selectGlobal(layers, 12).front() == lists);
}

TEST_CASE("6.7: AdaKV's original counts, whose sum may differ")
{
    CHECK(adaKvCounts(pooledVotes(), 6, 0.0, false) == List{5, 7});
    CHECK(adaKvCounts(pooledVotes(), 6, 0.2, false) == List{5, 7});
    CHECK(adaKvCounts(pooledVotes(), 6, 0.0, true) == List{9, 3});
    CHECK(adaKvCounts(pooledVotes(), 6, 0.2, true) == List{8, 3});
}

TEST_CASE("6.12b: ChunkKV's means, the same for all heads")
{
    // The published vector has the window as one more than the largest score; sums are over heads.
    LayerScores scores{kKvHeads, kTokens, {}, {}};
    const LayerScores votes = pooledVotes();
    const float largest = *std::ranges::max_element(votes.score) / 4;
    for (std::size_t head = 0; head < kKvHeads; ++head) {
        for (std::size_t j = 0; j < 20; ++j)
            scores.score.push_back(votes.score[head * 20 + j] / 4); // a mean over four rows
        scores.score.insert(scores.score.end(), 4, largest + 1);
    }
    List chunkOf;
    for (std::uint32_t j = 0; j < kTokens; ++j)
        chunkOf.push_back(j / 5);
    LayerScores logarithms = scores;
    logarithms.logarithmic = true;
    for (float& each : logarithms.score)
        each = std::log(each);
    spreadChunkMeans(scores, chunkOf);
    spreadChunkMeans(logarithms, chunkOf);
    const std::vector<double> means{.073530, .089471, .100524, .071768, 2.139333};
    for (std::size_t j = 0; j < kTokens; ++j) {
        CHECK(scores.score[j] == doctest::Approx(means[j / 5]).epsilon(1e-5));
        CHECK(scores.score[kTokens + j] == scores.score[j]);
        CHECK(logarithms.score[j] == doctest::Approx(means[j / 5]).epsilon(1e-5));
    }
    // Chunks 4 and 2 whole, as published for two of five; a further place goes to the best token of
    // the next chunk.
    CHECK(selectUniform(scores, 9)[0] == List{10, 11, 12, 13, 14, 20, 21, 22, 23});
    const HeadLists ten = selectUniform(scores, 10);
    CHECK(ten[0] == ten[1]);
    CHECK(ten[0].front() >= 5);
    CHECK(ten[0].front() < 10);
}

TEST_CASE("shares are proportional and exact in all")
{
    const std::vector<std::uint64_t> weights{1024, 1024, 1024, 300};
    const auto shares = proportionalShares(1001, weights);
    CHECK(std::accumulate(shares.begin(), shares.end(), std::uint64_t{0}) == 1001);
    for (std::size_t i = 0; i < shares.size(); ++i)
        CHECK(std::abs(static_cast<double>(shares[i]) -
                       1001.0 * static_cast<double>(weights[i]) / 3372) <= 1);
    CHECK(proportionalShares(0, weights) == std::vector<std::uint64_t>(4));
    CHECK(proportionalShares(3372, weights) == weights);
}
