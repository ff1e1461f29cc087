#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tests {

struct SourceFile
{
    std::filesystem::path path; // relative to the project
    std::vector<std::string> lines;
};

/// The C++ files (headers and sources) below `folder` of the project, in the order of their names.
std::vector<SourceFile> sourceFiles(const std::filesystem::path& folder);

/// Every text file of the project that a person wrote: sources, scripts, pages, build files.
std::vector<SourceFile> textFiles();

} // namespace tests
