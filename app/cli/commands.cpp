#include "app/cli/commands.h"

namespace app {

Output outputOf(const CommonOptions& common)
{
    return {common.json, common.quiet};
}

std::unique_ptr<Library> openLibrary(const CommonOptions& common, OpenMode mode)
{
    const std::filesystem::path folder =
        common.dataDir.empty() ? defaultDataDirectory() : std::filesystem::path(common.dataDir);
    // Reading needs no lock, but there is nothing to read before the first import has made the
    // files.
    if (mode == OpenMode::ReadOnly && !std::filesystem::exists(folder / "library.db"))
        mode = OpenMode::ReadWrite;
    auto library = Library::open(folder, mode);
    if (!library->notice().empty())
        outputOf(common).notice(library->notice());
    return library;
}

engine::LoadOptions loadOptions(const CommonOptions& common)
{
    engine::LoadOptions options;
    options.threads = common.threads;
    if (common.device == "cpu")
        options.device = engine::Device::Cpu;
    else if (common.device == "cuda")
        options.device = engine::Device::Cuda;
    return options;
}

nlohmann::json citationsJson(const std::vector<CitationRecord>& citations)
{
    nlohmann::json list = nlohmann::json::array();
    for (const CitationRecord& citation : citations) {
        list.push_back({{"page_index", citation.pageIndex},
                        {"page_label", citation.pageLabel},
                        {"quote", citation.quote}});
    }
    return list;
}

void printCitations(const Output& output, const std::vector<CitationRecord>& citations)
{
    for (const CitationRecord& citation : citations) {
        output.line("  page " + citation.pageLabel +
                    (citation.quote.empty() ? "" : ": \"" + citation.quote + "\""));
    }
}

std::map<std::string, double> parseSettings(const std::string& method,
                                            const std::vector<std::string>& settings)
{
    std::map<std::string, double> values;
    for (const std::string& each : settings) {
        const std::size_t equals = each.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw engine::Error(engine::ErrorCode::BadInput,
                                "\"" + each +
                                    "\" is not a setting. Write --set key=value, for instance "
                                    "--set rope=yarn.");
        }
        const std::string key = each.substr(0, equals);
        values[key] = engine::parseSetting(method, key, each.substr(equals + 1));
    }
    return values;
}

std::filesystem::path thisProgram()
{
    std::error_code error;
    auto path = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) {
        throw engine::Error(
            engine::ErrorCode::Internal,
            "The program cannot find its own file, which it needs for reading documents.");
    }
    return path;
}

} // namespace app
