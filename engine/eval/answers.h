#pragma once

#include "engine/eval/evaluation.h"

#include <filesystem>
#include <vector>

namespace engine {

/// The file answers.csv beside the results of an evaluation: each question with what counts as its
/// answer and what was said, for whoever wants to know how a method fails. Columns: task, length,
/// method, keep, document, question, wanted, said, exact (0 or 1), f1.
class EvalAnswerFile
{
public:
    explicit EvalAnswerFile(std::filesystem::path folder)
        : m_file(std::move(folder) / "answers.csv")
    {}

    /// Writes the answers of a unit in the place of what is there of the same task, length, method
    /// and keep, so that a unit that was interrupted or is asked more stands there once. The file
    /// is whole at any time. Throws DiskFull.
    void replace(const std::vector<EvalAnswer>& answers) const;

    const std::filesystem::path& file() const { return m_file; }

private:
    std::filesystem::path m_file;
};

} // namespace engine
