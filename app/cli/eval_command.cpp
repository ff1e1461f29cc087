#include "app/cli/commands.h"
#include "app/jobs/model_places.h"
#include "engine/eval/answers.h"
#include "engine/eval/results.h"
#include "engine/eval/scoring.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace app {
namespace {

using nlohmann::json;

std::string readCorpus(const std::string& file)
{
    std::ifstream stream(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (!stream || text.empty()) {
        throw engine::Error(engine::ErrorCode::NotFound,
                            "The corpus " + file +
                                " cannot be read or is empty. Give a text file with --corpus.");
    }
    return text;
}

engine::EvalOptions optionsOf(const EvalArguments& arguments)
{
    engine::EvalOptions options;
    options.methods = arguments.methods;
    options.keep = arguments.keep;
    options.lengths = arguments.lengths;
    options.tasks = arguments.tasks;
    options.questions = arguments.questions;
    options.documents = arguments.documents;
    options.seed = arguments.seed;
    options.store = engine::parseKvType(arguments.store);
    options.withQuestion = arguments.withQuestion;
    // One value for all, so every method has to have the setting; each says so in its own words.
    if (arguments.methods.empty())
        options.settings = parseSettings("full", arguments.settings);
    for (const std::string& method : arguments.methods)
        options.settings = parseSettings(method, arguments.settings);
    if (!arguments.corpus.empty()) {
        options.corpus = readCorpus(arguments.corpus);
        options.corpusName = std::filesystem::path(arguments.corpus).filename().string();
    }
    return options;
}

json cellJson(const engine::EvalCell& cell)
{
    const engine::Interval interval = engine::wilsonInterval(cell.exact, cell.questions);
    json each = {{"task", cell.task},
                 {"length", cell.length},
                 {"method", cell.method},
                 {"keep", cell.keep},
                 {"documents", cell.documents},
                 {"tokens", cell.tokens},
                 {"questions", cell.questions},
                 {"exact", cell.exact},
                 {"exact_low", interval.low},
                 {"exact_high", interval.high},
                 {"f1", cell.f1},
                 {"kept_fraction", cell.keptFraction},
                 {"bytes_stored", cell.bytesStored},
                 {"bytes_full", cell.bytesFull},
                 {"prepare_seconds", cell.prepareSeconds},
                 {"ask_seconds", cell.askSeconds}};
    if (!cell.refusal.empty())
        each["refusal"] = cell.refusal;
    return each;
}

/// "[#####.....] 7 of 24, kvzip 0.25, 4096 tokens: Scoring"
std::string progressText(std::size_t done, std::size_t units, const engine::EvalProgress& progress)
{
    constexpr std::size_t kBar = 20;
    const double fraction =
        (static_cast<double>(done) + progress.fraction) / static_cast<double>(units);
    const auto full = static_cast<std::size_t>(fraction * kBar);
    return "[" + std::string(full, '#') + std::string(kBar - std::min(full, kBar), '.') + "] " +
           std::to_string(done + 1) + " of " + std::to_string(units) + ", " + progress.unit.method +
           " " + numberText(progress.unit.keep, 2) + ", " + std::to_string(progress.unit.length) +
           " tokens: " + progress.phase;
}

/// Where the cells go: into a folder, or nowhere but the screen.
class Cells
{
public:
    Cells(const EvalArguments& arguments, const std::string& setup)
    {
        if (arguments.out.empty())
            return;
        m_results.emplace(arguments.out, setup, arguments.resume);
        m_answers.emplace(arguments.out);
    }

    bool has(const engine::EvalUnit& unit, const std::vector<std::string>& tasks,
             std::uint32_t documents) const
    {
        return m_results && m_results->has(unit, tasks, documents);
    }
    void append(const engine::EvalUnitResult& result)
    {
        // Answers first: a unit counts as done when its cells are there.
        if (m_answers)
            m_answers->replace(result.answers);
        if (m_results)
            m_results->append(result.cells);
        else
            m_cells.insert(m_cells.end(), result.cells.begin(), result.cells.end());
    }
    void writeTable(const std::string& machine) const
    {
        if (m_results)
            m_results->writeTable(machine);
    }
    const std::vector<engine::EvalCell>& all() const
    {
        return m_results ? m_results->cells() : m_cells;
    }

private:
    std::optional<engine::EvalResults> m_results;
    std::optional<engine::EvalAnswerFile> m_answers;
    std::vector<engine::EvalCell> m_cells;
};

} // namespace

void evaluate(const CommonOptions& common, const EvalArguments& arguments)
{
    const Output output = outputOf(common);
    const engine::EvalOptions options = optionsOf(arguments);
    const std::vector<engine::EvalUnit> units = engine::evalUnits(options);
    const std::vector<std::string> tasks = engine::evalTaskIds(options);
    if (arguments.resume && arguments.out.empty()) {
        throw engine::Error(engine::ErrorCode::BadInput,
                            "--resume needs --out, the folder with the results so far.");
    }
    const auto model = engine::loadModel(
        arguments.model.empty() ? embeddedModel() : std::filesystem::path(arguments.model),
        loadOptions(common));
    const std::string setup = engine::evalSetup(*model, options);
    const std::string machine = engine::evalMachine(*model);
    Cells cells(arguments, setup);
    engine::SharedReadings readings(model);
    std::size_t skipped = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
        if (cells.has(units[i], tasks, options.documents)) {
            ++skipped;
            continue;
        }
        std::string last;
        cells.append(engine::runEvalUnit(
            model, readings, options, units[i], [&](const engine::EvalProgress& progress) {
                if (progress.phase != last || Output::isTerminal())
                    output.progress(progressText(i, units.size(), progress));
                last = progress.phase;
            }));
        cells.writeTable(machine);
    }
    output.endProgress();
    cells.writeTable(machine);
    json list = json::array();
    for (const engine::EvalCell& cell : cells.all())
        list.push_back(cellJson(cell));
    output.value({{"setup", setup},
                  {"machine", machine},
                  {"units", units.size()},
                  {"skipped", skipped},
                  {"cells", list}});
    output.line(engine::evalMarkdown(cells.all(), setup, machine));
    if (!arguments.out.empty())
        output.line("Written to " + (std::filesystem::path(arguments.out) / "table.md").string() +
                    ", results.csv and answers.csv; " + std::to_string(skipped) + " of " +
                    std::to_string(units.size()) + " runs were there already.");
}

} // namespace app
