// The trained reader beyond its window with stretched positions: layer 0 has to know the rows just
// before from those thousands of rows back (resources/models/training/steps_back.py).

#include "engine/eval/evaluation.h"

#include <doctest/doctest.h>

TEST_CASE(
    "the trained reader finds facts and quotations at twice its window with stretched positions")
{
    using namespace engine;
    const auto model = loadModel(SOURCE_DIR "/resources/models/reader.gguf");
    EvalOptions options;
    options.tasks = {"needle", "quote"};
    options.settings = {{"rope", 3}}; // YaRN
    SharedReadings readings(model);
    const auto cells = runEvalUnit(model, readings, options, {8000, "full", 1}, {}).cells;
    REQUIRE(cells.size() == 2);
    CHECK(cells[0].exact >= 9); // 6 without the step that the file above names
    CHECK(cells[1].exact >= 7); // 1
    // The table of heads beside the model serves these positions, too.
    const auto few = runEvalUnit(model, readings, options, {8000, "duo-attention", 0.1}, {}).cells;
    REQUIRE(few.size() == 2);
    CHECK(few[0].exact >= 9); // 1 in 20 with heads measured on the document
    CHECK(few[1].exact >= 8); // 0 in 20
    CHECK(few[0].keptFraction < 0.12);
}
