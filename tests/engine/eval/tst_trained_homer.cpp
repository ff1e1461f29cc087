// HOMER with the trained reader, which looks for an answer in one layer and at its first token:
// what the settings carry and pool are for (docs/decisions.md 47).

#include "engine/eval/evaluation.h"

#include <doctest/doctest.h>

namespace {

using namespace engine;

constexpr std::uint32_t kQuestions = 8;

std::uint32_t needlesFound(const std::map<std::string, double>& settings)
{
    static const auto model = loadModel(SOURCE_DIR "/resources/models/reader.gguf");
    EvalOptions options;
    options.tasks = {"needle"};
    options.questions = kQuestions;
    options.withQuestion = true;
    options.settings = settings;
    options.settings["chunk"] = 640; // eight chunks, three merges
    options.settings["samples"] = 0;
    SharedReadings readings(model);
    return runEvalUnit(model, readings, options, {3900, "homer", 0.25}, {}).cells.front().exact;
}

} // namespace

TEST_CASE("the trained reader finds facts through HOMER's tree once neighbours stay and lower "
          "layers count")
{
    CHECK(needlesFound({}) <= kQuestions / 4);
    CHECK(needlesFound({{"pool", 16}}) <= kQuestions / 2);
    CHECK(needlesFound({{"pool", 16}, {"carry", 1}}) >= kQuestions * 3 / 4);
}
