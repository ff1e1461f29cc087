#include "tests/tree/source_files.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

namespace tests {

namespace fs = std::filesystem;

namespace {

SourceFile read(const fs::path& path)
{
    SourceFile file{.path = fs::relative(path, SOURCE_DIR), .lines = {}};
    std::ifstream stream(path);
    for (std::string line; std::getline(stream, line);) {
        file.lines.push_back(line);
    }
    return file;
}

bool isCpp(const fs::path& path)
{
    constexpr std::array<std::string_view, 4> kEndings{".h", ".cpp", ".cu", ".cuh"};
    return std::ranges::find(kEndings, path.extension().string()) != kEndings.end();
}

/// Build folders and the repository's own files are nobody's text.
bool isForeign(const fs::path& path)
{
    return path.filename() == "build" || path.filename() == ".git";
}

template <typename Predicate>
std::vector<SourceFile> filesBelow(const fs::path& folder, Predicate isWanted)
{
    std::vector<SourceFile> files;
    if (!fs::exists(folder)) {
        return files;
    }
    fs::recursive_directory_iterator it(folder);
    for (; it != fs::recursive_directory_iterator(); ++it) {
        if (it->is_directory() && isForeign(it->path())) {
            it.disable_recursion_pending();
        } else if (it->is_regular_file() && isWanted(it->path())) {
            files.push_back(read(it->path()));
        }
    }
    std::ranges::sort(files, {}, &SourceFile::path);
    return files;
}

} // namespace

std::vector<SourceFile> sourceFiles(const fs::path& folder)
{
    return filesBelow(SOURCE_DIR / folder, isCpp);
}

std::vector<SourceFile> textFiles()
{
    constexpr std::array<std::string_view, 10> kEndings{".md",  ".txt", ".cmake",   ".sh",  ".json",
                                                        ".sql", ".py",  ".desktop", ".xml", ".svg"};
    return filesBelow(SOURCE_DIR, [&](const fs::path& path) {
        return isCpp(path) ||
               std::ranges::find(kEndings, path.extension().string()) != kEndings.end();
    });
}

} // namespace tests
