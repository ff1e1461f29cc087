// Activation Beacon against a reference in plain loops (structural.md 4.8, checks B1 to B4, B6,
// B8).

#include "tests/engine/methods/beacon_reference.h"
#include "tests/engine/methods/beacon_runs.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;
using namespace tests;

constexpr double kClose = 2e-5; // float32 products in another order

struct Case
{
    BeaconSpec spec;
    std::uint32_t ratio = 0;
    std::size_t prefix = 0;
    std::size_t tokens = 0;
};

/// What the engine holds must be what the reference holds: rows, keys and the next position.
void checkMemory(const BeaconRun& run, const BeaconReference& reference, std::uint32_t prefix)
{
    const KvStore& store = run.store;
    const auto memory = reference.memory();
    CHECK(store.nextPosition() == static_cast<std::int32_t>(memory.size()));
    const KvShape shape = store.shape();
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            const KvList& list = store.list(layer, head);
            REQUIRE(list.length() == memory.size());
            std::uint32_t beacons = 0;
            std::uint32_t tokens = 0;
            std::uint32_t row = 0;
            for (std::uint32_t entry = 0; entry < list.length(); ++entry) {
                for (; row < list.row(entry); ++row)
                    ++(store.role(row) == Role::Beacon ? beacons : tokens);
                const bool beacon = store.role(row) == Role::Beacon;
                CHECK(beacon == memory[entry].beacon);
                const std::uint32_t number =
                    beacon ? beacons : tokens - (entry < prefix ? 0 : prefix);
                CHECK(number == memory[entry].number);
                CHECK(store.position(row) == static_cast<std::int32_t>(entry));
            }
        }
    }
}

/// B3: keys that were turned when their window ended equal keys turned once from before RoPE. The
/// engine's rows are in the order of its pairing.
double worstKey(const BeaconRun& run, const BeaconReference& reference, bool neighbours)
{
    const KvShape shape = run.store.shape();
    double worst = 0;
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            const auto expected = reference.keys(layer, head);
            std::vector<float> keys(expected.size());
            run.store.list(layer, head).readKeys(keys, 0, shape.headDim);
            for (std::size_t i = 0; i < keys.size(); ++i) {
                const std::size_t c = i % shape.headDim;
                const std::size_t half = shape.headDim / 2;
                const std::size_t place = !neighbours ? c : (c < half ? 2 * c : 2 * (c - half) + 1);
                worst = std::max(worst, std::abs(double{keys[i - c + place]} - expected[i]));
            }
        }
    }
    return worst;
}

void checkAgainstReference(const Case& each)
{
    const BeaconModel model(each.spec);
    const auto prefix = someTokens(each.prefix, 3);
    const auto text = someTokens(each.tokens);
    const BeaconRun run =
        runBeacon(model, model.plan(prefix, text, {{"ratio", static_cast<double>(each.ratio)}}));
    BeaconReference reference(model.checkpoint(), each.ratio);
    reference.readPrefix(prefix);
    const auto expected = reference.read(text);
    CHECK(worstDifference(run.logits, expected) < kClose);
    checkMemory(run, reference, static_cast<std::uint32_t>(each.prefix));
    CHECK(worstKey(run, reference, !each.spec.biases) < 1e-5);
}

} // namespace

TEST_CASE("logits, memory and keys are those of the reference at every ratio")
{
    for (const std::uint32_t ratio : {2U, 4U, 8U, 16U, 32U, 0U}) {
        for (const bool biases : {false, true}) {
            CAPTURE(ratio);
            CAPTURE(biases);
            const BeaconSpec spec{.biases = biases, .window = 32, .ratios = "[0, 2, 4, 8, 16, 32]"};
            checkAgainstReference({spec, ratio, 0, 75});
        }
    }
}

TEST_CASE("prefix, sinks, kinds of projections and types of numbers agree with the reference")
{
    checkAgainstReference({{.window = 8}, 4, 3, 37});
    checkAgainstReference({{.window = 8, .sinks = 1}, 4, 0, 37});
    checkAgainstReference({{.window = 8, .sinks = 3}, 2, 0, 5});
    checkAgainstReference({{.window = 8, .sinks = 5}, 4, 2, 20});
    checkAgainstReference({{.window = 8, .projections = ""}, 4, 1, 20});
    checkAgainstReference({{.window = 8, .projections = "qkvo"}, 4, 1, 20});
    checkAgainstReference({{.biases = true, .window = 8, .projections = "kv"}, 4, 1, 20});
    checkAgainstReference({{.window = 8, .type = "F16"}, 4, 1, 20});
    checkAgainstReference({{.biases = true, .window = 8, .type = "BF16"}, 4, 1, 20});
}

TEST_CASE("B1: the rows, positions and memory of the trace in structural.md 4.2")
{
    const BeaconModel model({.window = 8});
    const BeaconRun run = runBeacon(model, model.plan({}, someTokens(19), {{"ratio", 4}}));
    REQUIRE(run.jobs.size() == 3);
    const auto isBeacon = [&](std::size_t job) { return run.jobs[job].weightSets; };
    using Flags = std::vector<std::uint8_t>;
    CHECK(isBeacon(0) == Flags{0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
    CHECK(isBeacon(1) == Flags{0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
    CHECK(isBeacon(2) == Flags{0, 0, 0});
    const auto positions = [&](std::size_t job, std::int32_t first, std::int32_t last) {
        std::vector<std::int32_t> expected(static_cast<std::size_t>(last - first + 1));
        std::iota(expected.begin(), expected.end(), first);
        CHECK(run.jobs[job].positions == expected);
    };
    positions(0, 0, 9);
    positions(1, 2, 11);
    positions(2, 4, 6);
    // Four beacons (rows 4, 9, 14 and 19 of all) and the text behind them.
    const KvList& list = run.store.list(1, 1);
    std::vector<std::uint32_t> rows;
    for (std::uint32_t entry = 0; entry < list.length(); ++entry)
        rows.push_back(list.row(entry));
    CHECK(rows == std::vector<std::uint32_t>{4, 9, 14, 19, 20, 21, 22});
    CHECK(run.store.nextPosition() == 7);
}

TEST_CASE("B2: beacons that copy the model are the tokens they copy, until the window ends")
{
    for (const bool biases : {false, true}) {
        const BeaconModel model({.biases = biases, .window = 32, .copies = true});
        const auto text = someTokens(32);
        const BeaconRun run = runBeacon(model, model.plan({}, text, {{"ratio", 4}}));
        std::vector<std::int32_t> interleaved;
        for (std::size_t i = 0; i < text.size(); ++i) {
            interleaved.push_back(text[i]);
            if (i % 4 == 3)
                interleaved.push_back(BeaconCheckpoint::kEnd);
        }
        const auto all = logits(*model.model(), interleaved, true);
        const auto row = [&](std::size_t index) {
            const auto begin =
                all.begin() + static_cast<std::ptrdiff_t>(index * BeaconCheckpoint::kVocabulary);
            return std::vector<float>(begin, begin + BeaconCheckpoint::kVocabulary);
        };
        REQUIRE(run.logits.size() == 32);
        REQUIRE(run.beaconLogits.size() == 8);
        for (std::size_t i = 0; i < 32; ++i)
            CHECK(run.logits[i] == row(i + i / 4));
        for (std::size_t i = 0; i < 8; ++i)
            CHECK(run.beaconLogits[i] == row(5 * i + 4));
    }
}

TEST_CASE("B4: pieces of any size give the same memory and logits as one call")
{
    const BeaconModel model({.window = 16});
    const auto prefix = someTokens(3, 3);
    const auto text = someTokens(75);
    const std::map<std::string, double> settings{{"ratio", 4}};
    const BeaconRun once = runBeacon(model, model.plan(prefix, text, settings));
    for (const std::uint32_t piece : {1U, 3U, 5U, 16U}) {
        CAPTURE(piece);
        const BeaconRun pieces = runBeacon(model, model.plan(prefix, text, settings, piece));
        CHECK(pieces.jobs.size() > once.jobs.size() - (piece == 16 ? 1 : 0));
        CHECK(worstDifference(pieces.logits, once.logits) < 1e-6);
        REQUIRE(pieces.store.positions() == once.store.positions());
        for (std::uint32_t head = 0; head < 2; ++head) {
            const KvList& a = pieces.store.list(1, head);
            const KvList& b = once.store.list(1, head);
            REQUIRE(a.length() == b.length());
            std::vector<float> keys(std::size_t{a.length()} * 32), others(keys.size());
            a.readKeys(keys, 0, 32);
            b.readKeys(others, 0, 32);
            CHECK(worstDifference({keys}, {others}) < 1e-6);
        }
    }
}

TEST_CASE("B6: with ratio 0 nothing is inserted or dropped, and the logits are the model's")
{
    const BeaconModel model({.window = 16});
    const auto text = someTokens(75);
    const BeaconRun run = runBeacon(model, model.plan({}, text, {{"ratio", 0}}));
    const auto all = logits(*model.model(), text, true);
    std::vector<float> joined;
    for (const auto& each : run.logits)
        joined.insert(joined.end(), each.begin(), each.end());
    CHECK(worstDifference({joined}, {all}) < 1e-6);
    CHECK(run.store.list(0, 0).length() == 75);
    CHECK(run.store.rowCount() == 75);
}

TEST_CASE("a ratio that was not trained, or two ways to choose one, are refused")
{
    const BeaconModel model({.window = 16, .ratios = "[2, 8]"});
    const auto make = [&](std::map<std::string, double> settings) {
        activationBeaconMethod().make(model.plan({}, someTokens(20), std::move(settings)));
    };
    CHECK_NOTHROW(make({{"ratio", 8}}));
    CHECK_THROWS_WITH_AS(make({{"ratio", 4}}),
                         "The beacons of this model were trained for the ratios 2, 8, so the "
                         "setting ratio must be one of them, 0 to keep all text, or 1 to choose by "
                         "the share to keep.",
                         Error);
    CHECK_THROWS_AS(make({{"ratio", 2.5}}), Error);
    CHECK_THROWS_WITH_AS(make({{"ratio", 2}, {"adapt", 1024}}),
                         doctest::Contains("either a fixed ratio or adapt"), Error);
}
