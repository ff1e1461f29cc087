#include "app/jobs/bias_table_folder.h"

#include "app/store/files.h"
#include "engine/gguf/write_file.h"

#include <chrono>
#include <fstream>

namespace app {
namespace {

namespace fs = std::filesystem;

/// Milliseconds since 1970.
std::int64_t changedAt(const fs::path& file)
{
    using namespace std::chrono;
    const auto time = file_clock::to_sys(fs::last_write_time(file));
    return duration_cast<milliseconds>(time.time_since_epoch()).count();
}

} // namespace

std::string BiasTableFolder::find(const std::string& key)
{
    m_foundFrom.reset();
    if (m_withheld)
        return {};
    std::ifstream file(fileOf(key), std::ios::binary);
    std::string table(std::istreambuf_iterator<char>(file), {});
    if (!table.empty())
        m_foundFrom = changedAt(fileOf(key));
    return table;
}

void BiasTableFolder::keep(const std::string& key, const std::string& table)
{
    m_foundFrom.reset(); // one that was found and not usable is measured anew
    try {
        fs::create_directories(m_folder);
        const fs::path file = fileOf(key);
        const fs::path part = file.string() + ".part";
        engine::writeFile(part, std::as_bytes(std::span(table)));
        syncFile(part);
        renameFile(part, file);
        m_hasKept = true;
    } catch (const std::exception& error) {
        m_warning = std::string("The bias table could not be kept, so the next document of this "
                                "model takes longer. ") +
                    error.what();
    }
}

fs::path BiasTableFolder::fileOf(const std::string& key) const
{
    return m_folder / (key + ".bias");
}

} // namespace app
