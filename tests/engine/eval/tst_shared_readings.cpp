// What is read once for several methods and budgets must not change what any of them keeps.

#include "engine/eval/shared_readings.h"
#include "engine/methods/method.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <doctest/doctest.h>

using namespace engine;

namespace {

/// The header has times in it and is left out.
std::vector<std::vector<std::byte>> keptBy(const Context& context)
{
    std::vector<std::vector<std::byte>> segments;
    for (std::size_t index = 1; index < segmentCount(context); ++index)
        segments.push_back(writeSegment(context, index));
    return segments;
}

/// Blocks that were really read while this was prepared.
std::size_t blocksRead(SharedReadings& readings, const std::string& text,
                       const PrepareOptions& options)
{
    std::size_t blocks = 0;
    readings.prepare(text, options, [&](const PrepareProgress&) { ++blocks; });
    return blocks;
}

} // namespace

TEST_CASE("every method keeps the same at every budget, whatever was read before")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(700);
    std::vector<std::string> ids{"full", "kvzip+adakv", "snapkv+chunkpress", "snapkv+minference"};
    for (const MethodEntry& entry : methodTable()) {
        if (entry.composition != Composition::Closed || entry.takesHeadTable ||
            entry.info.id == "streaming-llm")
            ids.push_back(entry.info.id);
    }
    SharedReadings readings(model);
    for (const std::string& id : ids) {
        for (const double keep : {0.5, 0.25, 0.1, 1.0}) {
            PrepareOptions options;
            options.method = id;
            options.keep = keep;
            options.blockRows = 128;
            if (id.ends_with(
                    "+minference")) // patterns shorter than the text: not read as full does
                options.settings = {
                    {"pattern-rows", 128}, {"pattern", 2}, {"vertical", 30}, {"slash", 50}};
            if (id == "duo-attention")
                options.settings = {{"sinks", 8}, {"recent", 16}};
            INFO(id, " keep ", keep);
            const auto shared = readings.prepare(text, options, {});
            CHECK(keptBy(*shared) == keptBy(*tests::prepare(model, text, options)));
            CHECK(contextInfo(*shared).seconds > 0);
        }
    }
}

TEST_CASE("a budget more costs no reading, and a method more only its scoring")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(700);
    PrepareOptions options;
    options.blockRows = 128;
    options.method = "full";
    SharedReadings readings(model);
    const std::size_t whole = blocksRead(readings, text, options);
    REQUIRE(whole > 4);
    options.method = "kvzip";
    options.keep = 0.5;
    const std::size_t scoring = blocksRead(readings, text, options);
    CHECK(scoring < whole);
    options.keep = 0.25;
    CHECK(blocksRead(readings, text, options) == 1); // the call that says there is nothing to do
    options.method = "kvzip-head";
    CHECK(blocksRead(readings, text, options) < whole);
    options.keep = 0.5;
    CHECK(blocksRead(readings, text, options) == 1);

    SUBCASE("another length lets go of it")
    {
        readings.beginLength(5000);
        CHECK(blocksRead(readings, text, options) > whole);
    }
    SUBCASE("and without room all is read again")
    {
        SharedReadings small(model, 1000);
        const std::size_t first = blocksRead(small, text, options);
        CHECK(first > whole);
        options.keep = 0.5;
        CHECK(blocksRead(small, text, options) == first);
    }
}
