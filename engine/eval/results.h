#pragma once

#include "engine/eval/evaluation.h"

#include <filesystem>
#include <string>
#include <vector>

namespace engine {

/// The cells of an evaluation in a folder: results.csv, to which each finished unit is appended, so
/// that an interrupted evaluation can go on; and table.md, written anew from all cells.
class EvalResults
{
public:
    /// `setup` says in one line what all cells have in common (model, seed, questions, store,
    /// text). An existing file is read when `resume`; a line that was not written to its end is
    /// dropped. Throws BadInput when there are results already and `resume` is false, Mismatch when
    /// they were made with another setup, Damaged when they cannot be read, ReadOnly when the
    /// folder cannot be written.
    EvalResults(std::filesystem::path folder, std::string setup, bool resume);

    /// Whether the cells of a unit are there, for each of the tasks and at least as many documents.
    bool has(const EvalUnit& unit, const std::vector<std::string>& tasks,
             std::uint32_t documents) const;

    /// Throws DiskFull.
    void append(const std::vector<EvalCell>& cells);

    /// All cells, those of earlier runs first.
    const std::vector<EvalCell>& cells() const { return m_cells; }

    /// `machine` is a line about processor, threads and date. Throws DiskFull.
    void writeTable(const std::string& machine) const;

    std::filesystem::path csvFile() const { return m_folder / "results.csv"; }
    std::filesystem::path tableFile() const { return m_folder / "table.md"; }

private:
    void read(const std::string& text);
    /// In the place of one of the same task, length, method and keep.
    void put(const EvalCell& cell);

    std::filesystem::path m_folder;
    std::string m_setup;
    std::vector<EvalCell> m_cells;
};

/// What all cells of an evaluation have in common, in one line.
std::string evalSetup(const LoadedModel& model, const EvalOptions& options);

/// Processor, threads and today's date, in one line; no name of the machine.
std::string evalMachine(const LoadedModel& model);

/// One table a length: a row for each method and keep, a column for each task.
std::string evalMarkdown(const std::vector<EvalCell>& cells, const std::string& setup,
                         const std::string& machine);

} // namespace engine
