#include "engine/eval/evaluation.h"

#include "engine/eval/scoring.h"
#include "engine/methods/method.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace engine {
namespace {

constexpr double kPreparing = 0.7; // of a unit's progress
constexpr std::uint32_t kSpareTokens = 8;

double secondsSince(std::chrono::steady_clock::time_point start)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void requireRange(double value, double low, double high, const std::string& what)
{
    if (value >= low && value <= high)
        return;
    throw Error(ErrorCode::BadInput, what + " must be between " +
                                         std::to_string(static_cast<long long>(low)) + " and " +
                                         std::to_string(static_cast<long long>(high)) + ".");
}

/// Whether the method, and not the machine, is why it cannot be run.
bool isRefusal(ErrorCode code)
{
    return code == ErrorCode::TooLarge || code == ErrorCode::Unsupported ||
           code == ErrorCode::Mismatch || code == ErrorCode::BadInput;
}

std::vector<std::string> methodIds(const EvalOptions& options)
{
    if (!options.methods.empty())
        return options.methods;
    std::vector<std::string> ids;
    for (const MethodInfo& method : methods()) {
        if (method.queryAgnostic)
            ids.push_back(method.id);
    }
    // Methods that score begin with what `full` has read (SharedReadings).
    std::ranges::stable_partition(ids, [](const std::string& id) { return id == "full"; });
    return ids;
}

/// Sums over the documents of a unit.
class UnitRun
{
public:
    UnitRun(std::shared_ptr<LoadedModel> model, SharedReadings& readings,
            const EvalOptions& options, const EvalUnit& unit,
            const std::function<void(const EvalProgress&)>& onProgress)
        : m_model(std::move(model))
        , m_readings(readings)
        , m_options(options)
        , m_unit(unit)
        , m_onProgress(onProgress)
    {
        for (const std::string& task : evalTaskIds(options)) {
            EvalCell cell;
            cell.task = task;
            cell.length = unit.length;
            cell.method = unit.method;
            cell.keep = unit.keep;
            m_cells.push_back(cell);
        }
    }

    void runDocument(std::uint32_t number, const EvalDocument& document)
    {
        m_number = number;
        std::shared_ptr<const Context> context;
        if (!m_options.withQuestion)
            context = prepare(document.text, "");
        std::size_t asked = 0;
        for (const EvalQuestion& question : document.questions) {
            if (m_options.withQuestion)
                context = prepare(document.text, question.parts.front().question);
            const auto cell = std::ranges::find(m_cells, question.task, &EvalCell::task);
            if (cell != m_cells.end())
                ask(context, question, *cell);
            report("Asking", kPreparing + (1 - kPreparing) * static_cast<double>(++asked) /
                                              static_cast<double>(document.questions.size()));
        }
    }

    EvalUnitResult result() { return {cells(), std::move(m_answers)}; }

    EvalUnitResult refused(const std::string& reason) const
    {
        std::vector<EvalCell> cells = m_cells;
        for (EvalCell& cell : cells) {
            cell.documents = m_options.documents;
            cell.questions = 0;
            cell.exact = 0;
            cell.f1 = 0;
            cell.askSeconds = 0;
            cell.refusal = reason;
        }
        return {std::move(cells), {}};
    }

private:
    std::vector<EvalCell> cells() const
    {
        std::vector<EvalCell> cells = m_cells;
        const std::uint32_t prepared = std::max(m_prepared, 1U);
        for (EvalCell& cell : cells) {
            cell.documents = m_options.documents;
            cell.tokens = m_tokens / prepared;
            cell.keptFraction = m_kept / prepared;
            cell.bytesStored = m_stored / prepared;
            cell.bytesFull = m_full / prepared;
            cell.prepareSeconds = m_seconds / prepared;
            cell.f1 /= std::max(cell.questions, 1U);
            cell.askSeconds /= std::max(cell.questions, 1U);
        }
        return cells;
    }

    void report(const std::string& phase, double fraction) const
    {
        if (m_onProgress)
            m_onProgress({m_unit, phase, (m_number + fraction) / m_options.documents});
    }

    /// question: empty where it is not known before.
    std::shared_ptr<const Context> prepare(const std::string& text, const std::string& question)
    {
        PrepareOptions options;
        options.method = m_unit.method;
        options.keep = m_unit.keep;
        options.store = m_options.store;
        options.settings = m_options.settings;
        options.question = question;
        options.headTable = usualHeadTable(*m_model, options);
        auto context = m_readings.prepare(text, options, [this](const PrepareProgress& progress) {
            report(progress.phase, kPreparing * progress.fraction);
        });
        const ContextInfo& info = contextInfo(*context);
        ++m_prepared;
        m_tokens += info.tokens;
        m_kept += info.keptFraction;
        m_stored += info.bytesStored;
        m_full += info.bytesFull;
        m_seconds += info.seconds;
        return context;
    }

    void ask(const std::shared_ptr<const Context>& context, const EvalQuestion& question,
             EvalCell& cell)
    {
        const auto start = std::chrono::steady_clock::now();
        Conversation conversation(m_model, context);
        bool allExact = true;
        double f1 = 0;
        for (const QuestionPart& part : question.parts) {
            AskOptions options;
            options.maxTokens = tokensOf(part.accepted) + kSpareTokens;
            options.evidence = false; // nobody looks at it
            const std::string text = conversation.ask(part.question, options, {}).text;
            m_answers.push_back({m_unit, question.task, m_number, part.question,
                                 part.accepted.front(), text, isExact(text, part.accepted),
                                 tokenF1(text, part.accepted)});
            allExact = m_answers.back().isExact && allExact;
            f1 += m_answers.back().f1;
        }
        ++cell.questions;
        cell.exact += allExact ? 1 : 0;
        cell.f1 += f1 / static_cast<double>(question.parts.size());
        cell.askSeconds += secondsSince(start);
    }

    /// Of the longest accepted answer.
    std::uint32_t tokensOf(const std::vector<std::string>& accepted) const
    {
        std::size_t longest = 0;
        for (const std::string& each : accepted) {
            const auto tokens =
                tokenizerOf(*m_model).encode(each, SpecialTokens::AsText, false).ids.size();
            longest = std::max(longest, tokens);
        }
        return static_cast<std::uint32_t>(longest);
    }

    std::shared_ptr<LoadedModel> m_model;
    SharedReadings& m_readings;
    const EvalOptions& m_options;
    const EvalUnit& m_unit;
    const std::function<void(const EvalProgress&)>& m_onProgress;
    std::vector<EvalCell> m_cells;
    std::vector<EvalAnswer> m_answers;
    std::uint32_t m_number = 0;
    std::uint32_t m_prepared = 0; // contexts, over which these are summed
    std::uint64_t m_tokens = 0;
    double m_kept = 0;
    std::uint64_t m_stored = 0;
    std::uint64_t m_full = 0;
    double m_seconds = 0;
};

} // namespace

std::vector<EvalUnit> evalUnits(const EvalOptions& options)
{
    requireRange(options.questions, 1, kMostQuestions, "The number of questions of a task");
    requireRange(options.documents, 1, 1000, "The number of documents");
    for (const double keep : options.keep) {
        if (!(keep > 0 && keep <= 1)) {
            throw Error(ErrorCode::BadInput,
                        "A share to keep must be above 0 and at most 1, for instance 0.25.");
        }
    }
    std::vector<std::uint64_t> lengths = options.lengths;
    std::ranges::sort(lengths);
    std::vector<EvalUnit> units;
    for (const std::uint64_t length : lengths) {
        requireRange(static_cast<double>(length), 256, 1 << 24, "A length in tokens");
        for (const std::string& id : methodIds(options)) {
            if (!findMethod(id).info.usesKeep) {
                units.push_back({length, id, 1.0});
                continue;
            }
            for (const double keep : options.keep)
                units.push_back({length, id, keep});
        }
    }
    return units;
}

std::vector<std::string> evalTaskIds(const EvalOptions& options)
{
    std::vector<std::string> ids;
    for (const TaskInfo& task : evalTasks()) {
        const bool isNamed = std::ranges::find(options.tasks, task.id) != options.tasks.end();
        if (isNamed || (options.tasks.empty() && !task.needsTrainedModel))
            ids.push_back(task.id);
    }
    for (const std::string& named : options.tasks)
        checkTask(named);
    return ids;
}

EvalUnitResult runEvalUnit(const std::shared_ptr<LoadedModel>& model, SharedReadings& readings,
                           const EvalOptions& options, const EvalUnit& unit,
                           const std::function<void(const EvalProgress&)>& onProgress)
{
    readings.beginLength(unit.length);
    UnitRun run(model, readings, options, unit, onProgress);
    for (std::uint32_t number = 0; number < options.documents; ++number) {
        const EvalDocument document = makeEvalDocument(
            tokenizerOf(*model), {unit.length, options.questions, options.seed + number,
                                  options.corpus, evalTaskIds(options)});
        try {
            run.runDocument(number, document);
        } catch (const Error& error) {
            if (!isRefusal(error.code()))
                throw;
            return run.refused(error.what());
        }
    }
    return run.result();
}

} // namespace engine
