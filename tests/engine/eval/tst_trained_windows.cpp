// Windows side by side with the trained reader: what reading the most promising ones together is
// for (docs/decisions.md 43).

#include "engine/eval/evaluation.h"

#include <doctest/doctest.h>
#include <map>

namespace {

using namespace engine;

std::map<std::string, std::uint32_t> rightAnswers(const std::map<std::string, double>& settings)
{
    static const auto model = loadModel(SOURCE_DIR "/resources/models/reader.gguf");
    EvalOptions options;
    options.tasks = {"needle", "multi-value", "absent"};
    options.settings = settings;
    SharedReadings readings(model);
    std::map<std::string, std::uint32_t> right;
    for (const EvalCell& cell :
         runEvalUnit(model, readings, options, {3900, "parallel-windows", 1}, {}).cells)
        right[cell.task] = cell.exact;
    return right;
}

} // namespace

TEST_CASE("windows that have something like what is asked for give way to the one that has it")
{
    const auto alone = rightAnswers({{"together", 1}});
    const auto together = rightAnswers({});
    CHECK(together.at("needle") == 10);
    CHECK(together.at("multi-value") >= alone.at("multi-value") + 3);
    CHECK(together.at("multi-value") >= 7);
    CHECK(together.at("absent") >= alone.at("absent") + 1);
}
