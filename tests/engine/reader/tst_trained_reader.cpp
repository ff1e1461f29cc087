// The trained reader's file says in this program what it said in the framework that trained it
// (resources/models/training/golden.py).

#include "engine/engine.h"
#include "engine/model/model.h"
#include "tests/engine/reader/golden_lines.h"

#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <memory>
#include <vector>

namespace {

/// Weights of 8 bits; the program rounds activations to 8 bits, too, which PyTorch does not. The
/// logits have a standard deviation of more than 2.
constexpr double kTolerance = 0.4;
constexpr double kMeanTolerance = 0.1;

const tests::GoldenLines& golden()
{
    static const auto lines =
        tests::readGoldenLines(SOURCE_DIR "/tests/engine/reader/trained_reader_golden.txt");
    return lines;
}

std::shared_ptr<engine::LoadedModel> reader()
{
    static const auto model = engine::loadModel(SOURCE_DIR "/resources/models/reader.gguf");
    return model;
}

} // namespace

TEST_CASE("the trained reader's tokens are those it was trained with")
{
    const auto tokens =
        reader()->tokenizer().encode(golden().text, engine::SpecialTokens::Parse, false);
    CHECK(tokens.ids == golden().ids);
}

TEST_CASE("the trained reader's logits equal PyTorch's within the rounding of activations")
{
    const std::vector<float> logits = engine::logits(*reader(), golden().ids, false);
    REQUIRE(!golden().logits.empty());
    double sum = 0.0;
    for (const auto& [id, expected] : golden().logits) {
        CAPTURE(id);
        const double difference = std::abs(double{logits.at(id)} - expected);
        CHECK(difference < kTolerance);
        sum += difference;
    }
    CHECK(sum / static_cast<double>(golden().logits.size()) < kMeanTolerance);
}
