// The reader that comes with trained beacons says in this program, behind a document of which only
// the beacons stay, what it said in the framework that trained them
// (resources/models/training/golden.py).

#include "tests/engine/methods/beacon_runs.h"
#include "tests/engine/reader/golden_lines.h"

#include <cmath>
#include <doctest/doctest.h>

namespace {

using namespace engine;

constexpr double kTolerance = 0.05; // the same weights, sums in another order
constexpr double kRatio = 2;

} // namespace

TEST_CASE("the logits behind a document of beacons equal PyTorch's")
{
    const auto golden =
        tests::readGoldenLines(SOURCE_DIR "/tests/engine/reader/beacon_reader_golden.txt");
    const auto model = loadModel(SOURCE_DIR "/resources/models/reader-beacon.gguf",
                                 {.threads = 2, .exactProducts = true});
    const auto tokensOf = [&](const std::string& text) {
        return model->tokenizer().encode(text, SpecialTokens::Parse, false).ids;
    };
    REQUIRE(tokensOf(golden.text) == golden.ids);
    const std::size_t prefix = tokensOf("<|begin|><|user|>").size();
    const std::size_t end = tokensOf(golden.text.substr(0, golden.text.find("\n\n"))).size();
    const auto at = [&](std::size_t place) {
        return golden.ids.begin() + static_cast<std::ptrdiff_t>(place);
    };

    const DocumentPlan plan = tests::beaconPlan(*model, {golden.ids.begin(), at(prefix)},
                                                {at(prefix), at(end)}, {{"ratio", kRatio}});
    tests::BeaconRun run = tests::runBeacon(*model, plan);
    const std::size_t window = model->beacon().config.window;
    const std::size_t full = (end - prefix) / window * window;
    REQUIRE(full >= 2 * window);
    const std::size_t rest = end - prefix - full;
    CHECK(run.store.list(0, 0).length() == prefix + full / static_cast<std::size_t>(kRatio) + rest +
                                               rest / static_cast<std::size_t>(kRatio));

    Job question;
    question.role = Role::Query;
    question.logits = LogitRows::Last;
    std::int32_t position = run.store.nextPosition();
    for (auto token = at(end); token != golden.ids.end(); ++token) {
        question.tokens.push_back(*token);
        question.positions.push_back(position++);
    }
    const std::vector<float> logits = model->transformer().run(question, run.store).logits;
    REQUIRE(!golden.logits.empty());
    for (const auto& [id, expected] : golden.logits) {
        CAPTURE(id);
        CHECK(std::abs(double{logits.at(id)} - expected) < kTolerance);
    }
}
