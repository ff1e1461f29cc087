// HOMER's tree: structural.md 3.2, 3.5 and the checks H2, H3, H5, H8 of 3.7.

#include "engine/error.h"
#include "engine/methods/homer_schedule.h"

#include <algorithm>
#include <doctest/doctest.h>

namespace {

using engine::HomerNode;
using engine::HomerPlan;
using engine::HomerSchedule;
using engine::planHomer;

/// Llama-2-7B as in the table of structural.md 3.5.
HomerPlan llama(std::uint32_t document)
{
    return {.prefix = 100,
            .suffix = 100,
            .document = document,
            .layers = 32,
            .largestChunk = 2048,
            .warmUp = 12,
            .target = 1848};
}

struct Row
{
    std::uint32_t document, height, leaves, leafLayers, innerLayers;
    std::uint64_t peak;
};

/// Walks the tree as the method does and checks what must hold for every document.
void checkTree(const HomerPlan& plan, const HomerSchedule& schedule)
{
    const std::uint32_t affix = plan.prefix + plan.suffix;
    std::uint32_t read = 0;
    std::size_t waiting = 0;
    bool fits = true;
    bool inOrder = true;
    for (std::size_t i = 0; i < schedule.nodes.size(); ++i) {
        const HomerNode& node = schedule.nodes[i];
        if (node.height == 0) {
            inOrder = inOrder && node.begin == read && node.end > node.begin &&
                      node.end - node.begin <= schedule.chunk;
            read = node.end;
        }
        fits =
            fits && node.rows <= plan.largestChunk && node.kept <= node.rows && node.kept >= affix;
        waiting += schedule.waits(i) ? 1 : 0;
        waiting -= node.isMerged ? 1 : 0;
        inOrder = inOrder && waiting <= schedule.height; // one for each height at most
    }
    CHECK(fits);
    CHECK(inOrder);
    CHECK(waiting == 0);
    CHECK(read == plan.document);
    CHECK(schedule.nodes.back().height == schedule.height);
    // Every layer once, from the chunk to the root.
    CHECK(schedule.layerBegin(0) == 0);
    for (std::uint32_t height = 0; height < schedule.height; ++height) {
        CHECK(schedule.layerEnd(height) > schedule.layerBegin(height));
        CHECK(schedule.layerEnd(height) == schedule.layerBegin(height + 1));
    }
    CHECK(schedule.layerEnd(schedule.height) == plan.layers);
    CHECK(plan.prefix + schedule.chunk + plan.suffix <= plan.largestChunk);
}

} // namespace

TEST_CASE("the published table: tree, layers and the peak of depth-first order")
{
    for (const Row& row : {Row{4000, 2, 4, 20, 6, 82472}, Row{8000, 3, 8, 17, 5, 100132},
                           Row{16000, 4, 16, 16, 4, 121888}, Row{32000, 5, 32, 17, 3, 151112},
                           Row{64000, 6, 64, 20, 2, 192600}, Row{128000, 7, 128, 18, 2, 210432}}) {
        CAPTURE(row.document);
        const HomerSchedule schedule = planHomer(llama(row.document));
        CHECK(schedule.height == row.height);
        CHECK(schedule.chunk == 1000);
        CHECK(std::ranges::count(schedule.nodes, 0U, &HomerNode::height) == row.leaves);
        CHECK(schedule.layerEnd(0) == row.leafLayers);
        CHECK(schedule.step == row.innerLayers);
        CHECK(schedule.nodes.front().rows == 1200);
        CHECK(schedule.nodes.front().kept == 1124);
        CHECK(schedule.nodes.back().kept == 2048);
        CHECK(schedule.peakRowLayers() == row.peak);
    }
}

TEST_CASE("H2, H3, H5: for every length each layer once, no node above the chunk, all tokens read")
{
    for (std::uint32_t n = 1; n <= 200000; n += n < 4000 ? 1 : 173) {
        CAPTURE(n);
        const HomerPlan plan = llama(n);
        const HomerSchedule schedule = planHomer(plan);
        checkTree(plan, schedule);
        if (schedule.height > 0)
            CHECK(schedule.nodes.back().kept == 200 + 2 * (1848 / 2));
        else
            CHECK(schedule.nodes.back().kept == 200 + n);
    }
}

TEST_CASE("other chunks and layers, chunks that would be empty")
{
    for (const std::uint32_t chunk : {300U, 301U, 777U, 4096U}) {
        for (std::uint32_t n = 1; n <= 70000; n += 997) {
            HomerPlan plan{.prefix = 3,
                           .suffix = 17,
                           .document = n,
                           .layers = 28,
                           .largestChunk = chunk,
                           .warmUp = {},
                           .target = 100};
            CAPTURE(chunk);
            CAPTURE(n);
            const HomerSchedule schedule = planHomer(plan);
            checkTree(plan, schedule);
            CHECK(schedule.nodes.back().kept <= 120);
        }
    }
    // 2^9 chunks of 129 would be needed for 131,000 tokens, but only 509 of them are not empty.
    HomerPlan plan{.prefix = 0,
                   .suffix = 1,
                   .document = 65600,
                   .layers = 32,
                   .largestChunk = 257,
                   .warmUp = {},
                   .target = 256};
    const HomerSchedule schedule = planHomer(plan);
    CHECK(schedule.height == 9);
    CHECK(schedule.chunk == 129);
    CHECK(std::ranges::count(schedule.nodes, 0U, &HomerNode::height) == 509);
    checkTree(plan, schedule);
}

TEST_CASE("a tree higher than the model has layers, and affixes that fill a chunk, are refused")
{
    HomerPlan plan = llama(128000);
    plan.warmUp = 25;
    CHECK_THROWS_WITH_AS(planHomer(plan), doctest::Contains("8 levels"), engine::Error);
    plan.warmUp = {};
    plan.layers = 8;
    CHECK(planHomer(plan).warmUp == 0);
    plan.layers = 7;
    CHECK_THROWS_WITH_AS(planHomer(plan), doctest::Contains("rope"), engine::Error);
    plan = llama(128000);
    plan.suffix = 1700;
    CHECK_THROWS_WITH_AS(planHomer(plan), doctest::Contains("chunk="), engine::Error);
}
