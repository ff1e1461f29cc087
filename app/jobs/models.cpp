#include "app/jobs/models.h"

#include "app/jobs/model_places.h"

#include <array>
#include <fstream>
#include <set>

namespace app {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 6;

bool startsAsGguf(const fs::path& path)
{
    std::ifstream stream(path, std::ios::binary);
    std::array<char, 4> magic{};
    return stream.read(magic.data(), magic.size()) &&
           std::string_view(magic.data(), magic.size()) == "GGUF";
}

/// "name-00002-of-00005": the second part of a file that was split.
bool isLaterPart(const std::string& stem)
{
    constexpr std::string_view kFirst = "-00001-of-00005";
    if (stem.size() < kFirst.size())
        return false;
    const std::string_view tail = std::string_view(stem).substr(stem.size() - kFirst.size());
    for (std::size_t i = 0; i < tail.size(); ++i) {
        const bool digit = tail[i] >= '0' && tail[i] <= '9';
        const bool digitWanted = kFirst[i] >= '0' && kFirst[i] <= '9';
        if (digit != digitWanted || (!digit && tail[i] != kFirst[i]))
            return false;
    }
    return !tail.starts_with("-00001-");
}

bool isModelFile(const fs::path& path)
{
    const std::string name = path.filename().string();
    if (name.starts_with("mmproj"))
        return false;
    if (path.extension() == ".gguf")
        return !isLaterPart(path.stem().string());
    // Ollama keeps its files under their hash.
    return name.starts_with("sha256-") && startsAsGguf(path);
}

FoundModel describe(const fs::path& path)
{
    FoundModel found;
    try {
        found.info = engine::readModelInfo(path);
    } catch (const engine::Error& error) {
        found.info.path = path;
        found.info.name = path.stem().string();
        found.info.supported = false;
        found.info.unsupportedReason = error.what();
    }
    return found;
}

void scan(const fs::path& folder, std::set<fs::path>& seen, std::vector<FoundModel>& models)
{
    std::error_code error;
    fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied,
                                           error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
        if (entry.depth() > kMaxDepth)
            entry.disable_recursion_pending();
        std::error_code ignored;
        if (!entry->is_regular_file(ignored) || !isModelFile(entry->path()))
            continue;
        if (seen.insert(fs::weakly_canonical(entry->path(), ignored)).second)
            models.push_back(describe(entry->path()));
    }
}

} // namespace

std::vector<FoundModel> findModels(const fs::path& dataDirectory)
{
    std::vector<FoundModel> models;
    std::set<fs::path> seen;
    try {
        const fs::path embedded = embeddedModel();
        models.push_back(describe(embedded));
        models.back().embedded = true;
        seen.insert(embedded);
        // Beside it: other models that come with the program.
        scan(embedded.parent_path(), seen, models);
    } catch (const engine::Error&) {
        // A build without resources: the other models can still be used.
    }
    for (const fs::path& folder : modelFolders(dataDirectory))
        scan(folder, seen, models);
    return models;
}

} // namespace app
