#pragma once

#include "app/library/library.h"
#include "tests/app/cli/program.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tests {

/// Sentences with numbers, so that no three tokens in a row stand twice and the constructed reader
/// can continue any of them. The same arguments give the same text; about three tokens a word.
std::string makeSampleText(std::size_t words, std::uint32_t seed);

void writeFile(const std::filesystem::path& path, const std::string& bytes);

/// A data directory with the program's commands for it.
class SampleLibrary
{
public:
    explicit SampleLibrary(std::filesystem::path folder)
        : m_folder(std::move(folder))
    {}

    const std::filesystem::path& folder() const { return m_folder; }
    /// The arguments of a command on this library.
    std::vector<std::string> command(std::vector<std::string> words) const;
    /// The same with --json.
    Finished run(std::vector<std::string> words) const;
    /// The JSON result of a command that must succeed. Throws std::runtime_error with its error
    /// output otherwise.
    nlohmann::json result(std::vector<std::string> words) const;

    app::RecordId import(const std::filesystem::path& file) const;
    /// With the constructed reader, unless the options name a model.
    app::RecordId prepare(app::RecordId document,
                          const std::vector<std::string>& options = {}) const;

private:
    std::filesystem::path m_folder;
};

} // namespace tests
