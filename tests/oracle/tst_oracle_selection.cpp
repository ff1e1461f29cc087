// The methods against the public package kvpress on the golden models: the same tokens kept, the
// same attention mass, the same logits afterwards. docs/testing.md says how the data are made and
// which deviations are bridged.

#include "engine/methods/selection.h"
#include "tests/oracle/method_run.h"

#include <cmath>
#include <doctest/doctest.h>

namespace {

using namespace tests;

void compare(const std::vector<const char*>& methods)
{
    for (const Oracle& oracle : readOracles()) {
        MethodRun run(oracle);
        INFO(oracle.model);
        for (const char* method : methods) {
            for (const OracleCase& one : oracle.of(method))
                checkAll(run, one, run.apply(one));
        }
    }
}

} // namespace

TEST_CASE("scorers keep what kvpress keeps")
{
    // No deviation is bridged, but sinks = 0 is set where kvpress protects no first token (KeyDiff,
    // Knorm).
    compare({"snapkv", "tova", "expected-attention", "keydiff", "knorm", "observed-attention"});
}

TEST_CASE("AdaKV divides the places of a layer as kvpress does")
{
    // kvpress masks pairs instead of dropping them, so the logits also show that dropping is the
    // same.
    compare({"snapkv+adakv", "expected-attention+adakv", "keydiff+adakv"});
}

TEST_CASE("keys turned to contiguous positions give the logits of kvpress's key re-rotation")
{
    compare({"keydiff+compact", "snapkv+compact"});
}

TEST_CASE("ChunkPress cuts every chunk as kvpress does")
{
    // Bridged in the data: inside ChunkPress kvpress's SnapKV turns the queries of every chunk to
    // the positions of the document's end; it is handed the chunk's own.
    compare({"keydiff+chunkpress", "knorm+chunkpress", "snapkv+chunkpress"});
}

TEST_CASE("ChunkKV keeps the chunks that kvpress keeps")
{
    // Bridged: in kvpress a protected token wins its whole chunk, so SnapKV's window is one chunk.
    compare({"keydiff+chunkkv", "snapkv+chunkkv"});
}

TEST_CASE("Compactor keeps what kvpress keeps")
{
    // Bridged in the data: the softmax scale, which kvpress leaves out, is put into the query
    // weights while it scores; blocks divide the document, because its mask of a shorter one leaks;
    // the sketch is the identity, which ours takes for one as wide as a head.
    compare({"compactor"});
}

TEST_CASE("Expected Attention without the covariance")
{
    for (const Oracle& oracle : readOracles()) {
        MethodRun run(oracle);
        INFO(oracle.model);
        for (const OracleCase& one : oracle.of("expected-attention-mean")) {
            const auto plan = run.plan("expected-attention", one.settings, one.keep);
            checkAll(run, one, run.apply("expected-attention", plan));
        }
    }
}

TEST_CASE("PyramidKV: each layer's best are those of kvpress, and the pyramid is as steep")
{
    // Bridged: kvpress counts the window inside a layer's budget, rounds each layer for itself, and
    // its base is the whole budget; ours is the budget without the window, and the sum is exact. So
    // SnapKV's votes are cut at the number that kvpress gave to the layer, and our pyramid is
    // compared over kvpress's base.
    for (const Oracle& oracle : readOracles()) {
        MethodRun run(oracle);
        INFO(oracle.model);
        for (const OracleCase& one : oracle.of("pyramidkv")) {
            const auto tokens = static_cast<std::uint32_t>(oracle.document.size());
            const auto window = static_cast<std::uint32_t>(one.settings.at("window"));
            const auto base = static_cast<std::uint32_t>(std::lround(one.keep * tokens));
            const auto layers = static_cast<std::uint32_t>(one.kept.size());
            const auto places = engine::pyramidPlaces(base, tokens - window, 2 * base, layers,
                                                      one.settings.at("beta"));
            KeptLists kept;
            for (std::uint32_t layer = 0; layer < layers; ++layer) {
                const std::size_t budget = one.kept[layer][0].size();
                INFO("keep ", one.keep, " layer ", layer, ": kvpress ", budget, ", ours ",
                     places[layer]);
                CHECK(std::abs(static_cast<double>(budget) - static_cast<double>(places[layer])) <=
                      1);
                auto plan = run.plan(
                    "snapkv", {{"window", window}, {"kernel", one.settings.at("kernel")}}, 1);
                plan.budget = budget;
                kept.push_back(keptRows(run.apply("snapkv", plan))[layer]);
            }
            checkKept(run, one, kept);
            checkLogits(run, one, run.keepOnly(one.kept));
        }
    }
}

TEST_CASE("StreamingLLM keeps the rows that kvpress keeps")
{
    // Bridged: ours reads the document with the window in place and then counts positions inside
    // the cache, as the paper has it; kvpress reads it densely and drops the middle. So the rows
    // are compared, and the logits with a densely read document, once at true positions and once
    // turned to slots.
    for (const Oracle& oracle : readOracles()) {
        MethodRun run(oracle);
        INFO(oracle.model);
        for (const OracleCase& one : oracle.of("streaming-llm")) {
            checkKept(run, one, keptRows(run.apply(one)));
            checkLogits(run, one, run.keepOnly(one.kept));
        }
        for (const OracleCase& one : oracle.of("streaming-llm+compact")) {
            const auto plan = run.plan("streaming-llm", one.settings, one.keep);
            checkKept(run, one, keptRows(run.apply("streaming-llm", plan)));
            checkLogits(run, one, run.turnedToSlots(one.kept));
        }
    }
}
