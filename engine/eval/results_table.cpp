// The Markdown of an evaluation, and the lines that say what it was made with.

#include "engine/eval/results.h"
#include "engine/eval/scoring.h"
#include "engine/hash/sha256.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <span>

namespace engine {
namespace {

std::string number(const char* format, double value)
{
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), format, value);
    return buffer.data();
}

std::string percent(double share)
{
    return std::to_string(std::lround(100 * share));
}

/// "90 (60-98) 0.95": exact answers in percent, their interval, F1.
std::string cellText(const EvalCell* cell)
{
    if (cell == nullptr)
        return "";
    if (!cell->refusal.empty())
        return "refused";
    const Interval interval = wilsonInterval(cell->exact, cell->questions);
    const double share = static_cast<double>(cell->exact) / std::max(cell->questions, 1U);
    return percent(share) + " (" + percent(interval.low) + "-" + percent(interval.high) + ") " +
           number("%.2f", cell->f1);
}

/// The cells of one length, and what they are sorted by.
class LengthTable
{
public:
    LengthTable(const std::vector<EvalCell>& cells, std::uint64_t length)
    {
        for (const EvalCell& cell : cells) {
            if (cell.length == length)
                m_cells.push_back(&cell);
        }
    }

    std::string markdown() const
    {
        const std::vector<std::string> tasks = columns();
        std::string text = "## " + std::to_string(m_cells.front()->length) + " tokens\n\n";
        text += size() + "\n\n";
        text += "| method | keep | kept |";
        std::string rule = "|---|---|---|";
        for (const std::string& task : tasks) {
            text += " " + task + " |";
            rule += "---|";
        }
        text += " of the bytes | prepared in | answered in |\n" + rule + "---|---|---|\n";
        for (const EvalCell* row : rows())
            text += rowText(*row, tasks);
        return text + refusals();
    }

private:
    /// How many documents of which size.
    std::string size() const
    {
        const auto documents = std::ranges::minmax(m_cells, {}, &EvalCell::documents);
        const auto tokens = std::ranges::max(m_cells, {}, &EvalCell::tokens);
        const std::string fewest = std::to_string(documents.min->documents);
        const std::string most = std::to_string(documents.max->documents);
        return "Documents: " + (fewest == most ? most : fewest + " to " + most) + " of about " +
               std::to_string(tokens->tokens) + " tokens.";
    }

    std::vector<std::string> columns() const
    {
        std::vector<std::string> tasks;
        for (const TaskInfo& task : evalTasks()) {
            if (std::ranges::any_of(m_cells, [&](const auto* c) { return c->task == task.id; }))
                tasks.push_back(task.id);
        }
        return tasks;
    }

    /// A cell of each method and keep: methods in the order of the list, large keep first.
    std::vector<const EvalCell*> rows() const
    {
        std::vector<const EvalCell*> rows;
        for (const EvalCell* cell : m_cells) {
            if (std::ranges::none_of(rows, [&](const auto* r) { return isSameRow(*r, *cell); }))
                rows.push_back(cell);
        }
        const std::vector<MethodInfo> known = methods();
        const auto place = [&](const EvalCell* cell) {
            const std::string scorer = cell->method.substr(0, cell->method.find('+'));
            const auto found = std::ranges::find(known, scorer, &MethodInfo::id) - known.begin();
            return std::tuple(cell->method != "full", found, cell->method, -cell->keep);
        };
        std::ranges::stable_sort(rows, {}, place);
        return rows;
    }

    static bool isSameRow(const EvalCell& a, const EvalCell& b)
    {
        return a.method == b.method && std::abs(a.keep - b.keep) < 1e-9;
    }

    std::string rowText(const EvalCell& row, const std::vector<std::string>& tasks) const
    {
        std::string text =
            "| " + row.method + " | " + number("%g", row.keep) + " | " +
            (row.refusal.empty() ? number("%.3f", row.keptFraction) : std::string()) + " |";
        double askSeconds = 0;
        std::uint32_t questions = 0;
        for (const std::string& task : tasks) {
            const auto found = std::ranges::find_if(m_cells, [&](const EvalCell* cell) {
                return isSameRow(*cell, row) && cell->task == task;
            });
            const EvalCell* cell = found == m_cells.end() ? nullptr : *found;
            text += " " + cellText(cell) + " |";
            if (cell != nullptr) {
                askSeconds += cell->askSeconds * cell->questions;
                questions += cell->questions;
            }
        }
        if (!row.refusal.empty())
            return text + " | | |\n";
        const double bytes = static_cast<double>(row.bytesStored) /
                             static_cast<double>(std::max<std::uint64_t>(row.bytesFull, 1));
        return text + " " + number("%.1f %%", 100 * bytes) + " | " +
               number("%.1f s", row.prepareSeconds) + " | " +
               number("%.2f s", askSeconds / std::max(questions, 1U)) + " |\n";
    }

    std::string refusals() const
    {
        std::string text;
        for (const EvalCell* row : rows()) {
            if (!row->refusal.empty())
                text += "\n" + row->method + " at keep " + number("%g", row->keep) +
                        " was refused: " + row->refusal + "\n";
        }
        return text;
    }

    std::vector<const EvalCell*> m_cells;
};

/// ", rope=3, each question known before the document is read"; empty for what is usual.
std::string settingsText(const EvalOptions& options)
{
    std::string text;
    const std::string method = options.methods.empty() ? "full" : options.methods.front();
    for (const auto& [key, value] : options.settings)
        text += ", " + key + "=" + settingText(method, key, value);
    if (options.withQuestion)
        text += ", each question known before the document is read";
    return text;
}

std::string processorName()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos)
            return line.substr(colon + 2);
    }
    return "unknown processor";
}

} // namespace

std::string evalSetup(const LoadedModel& model, const EvalOptions& options)
{
    std::string text = "made-up sentences";
    if (!options.corpus.empty()) {
        Sha256 hash;
        hash.update(std::as_bytes(std::span(options.corpus)));
        text = options.corpusName + " (" + hash.hexDigest().substr(0, 12) + ")";
    }
    return modelInfo(model).name + " (" + modelIdentity(model).substr(0, 12) + "), store " +
           kvTypeName(options.store) + ", " + std::to_string(options.questions) +
           (options.questions == 1 ? " question" : " questions") +
           " of each task about each document, seed " + std::to_string(options.seed) + ", " + text +
           settingsText(options);
}

std::string evalMachine(const LoadedModel& model)
{
    const std::time_t now = std::time(nullptr);
    std::tm today{};
    gmtime_r(&now, &today);
    std::array<char, 32> date{};
    std::strftime(date.data(), date.size(), "%Y-%m-%d", &today);
    return processorName() + "; " + deviceSentence(model) + "; " + date.data();
}

std::string evalMarkdown(const std::vector<EvalCell>& cells, const std::string& setup,
                         const std::string& machine)
{
    std::string text = "Setup: " + setup + ".\n\nMachine of the last run: " + machine +
                       ".\n\nA cell is: exact answers in percent (95 % Wilson interval) mean token "
                       "F1. \"of the bytes\" compares with float16 and nothing dropped.\n";
    std::vector<std::uint64_t> lengths;
    for (const EvalCell& cell : cells)
        lengths.push_back(cell.length);
    std::ranges::sort(lengths);
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    for (const std::uint64_t length : lengths)
        text += "\n" + LengthTable(cells, length).markdown();
    return text;
}

} // namespace engine
