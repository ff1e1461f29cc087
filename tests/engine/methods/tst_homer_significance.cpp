// What HOMER ranks rows by beyond the paper: significance of the nodes below, and of neighbours.

#include "engine/dialog/context.h"
#include "engine/methods/homer_significance.h"
#include "tests/engine/methods/reader_fixture.h"
#include "tests/engine/methods/reader_variant.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <limits>
#include <random>

namespace {

using namespace engine;

constexpr float kSmallest = -std::numeric_limits<float>::infinity();

/// Every pair of rows looked at.
std::vector<float> pooledPlainly(const std::vector<float>& significance,
                                 const std::vector<std::uint32_t>& ids, std::uint32_t pool)
{
    std::vector<float> best;
    for (const std::uint32_t id : ids) {
        float largest = kSmallest;
        for (std::size_t other = 0; other < ids.size(); ++other) {
            if (std::max(id, ids[other]) - std::min(id, ids[other]) <= pool)
                largest = std::max(largest, significance[other]);
        }
        best.push_back(largest);
    }
    return best;
}

/// Runs of neighbouring tokens in the first list: few where spans stay, many where single tokens
/// do.
std::size_t runsOf(const Context& context)
{
    const std::vector<std::uint32_t> rows = tests::rowsOf(context.store().list(0, 0));
    std::size_t runs = 1;
    for (std::size_t i = 1; i < rows.size(); ++i)
        runs += rows[i] == rows[i - 1] + 1 ? 0U : 1U;
    return runs;
}

} // namespace

TEST_CASE("pooling is the largest significance within reach, also where tokens are missing between")
{
    std::mt19937 random(7);
    for (const std::uint32_t pool : {0U, 1U, 3U, 16U}) {
        std::vector<std::uint32_t> ids;
        std::vector<float> significance;
        for (std::uint32_t id = 0; id < 200; ++id) {
            if (random() % 3 == 0)
                continue;
            ids.push_back(id);
            significance.push_back(static_cast<float>(random() % 50) - 25.0F);
        }
        significance[10] = kSmallest;
        const HomerSignificance ranking{.carries = false, .pool = pool};
        CAPTURE(pool);
        CHECK(ranking.pooled(significance, ids) == pooledPlainly(significance, ids, pool));
    }
    CHECK(HomerSignificance{.carries = false, .pool = 5}.pooled({}, {}).empty());
}

TEST_CASE("a logit counts without its bias and with what its row had before")
{
    HomerBias bias;
    bias.layers = 2;
    bias.length = 3;
    bias.values = {0, 0, 0, 10, 20, 30}; // of layer 1, by distance
    const std::vector<std::int32_t> positions{5, 6, 7};
    const float none = std::numeric_limits<float>::quiet_NaN();
    const HomerSignificance ranking{.carries = true, .pool = 0};
    CHECK(ranking.calibrated({31, none, 12}, bias, 1, positions, {}) ==
          std::vector<float>{1, kSmallest, 2});
    const std::vector<float> earlier{100, 200, kSmallest};
    CHECK(ranking.calibrated({31, none, 12}, bias, 1, positions, earlier) ==
          std::vector<float>{101, kSmallest, kSmallest});
}

TEST_CASE("neighbours stay together")
{
    const auto model = tests::loadDeepReader(1024);
    const std::string text = tests::makeText(1600);
    PrepareOptions options;
    options.method = "homer";
    options.keep = 0.1;
    options.store = KvType::F16;
    options.question = "What follows \"The gardener number\"?";
    const auto published = tests::prepare(model, text, options);
    options.settings = {{"pool", 8}};
    const auto pooled = tests::prepare(model, text, options);
    CHECK(keptCounts(*pooled) == keptCounts(*published));
    CHECK(runsOf(*pooled) * 2 < runsOf(*published));
}
