#include "app/store/migrations.h"

namespace app {

SchemaAge schemaAge(const Database& database, std::span<const std::string_view> steps)
{
    const int version = database.schemaVersion();
    const int current = static_cast<int>(steps.size());
    if (version == current)
        return SchemaAge::Same;
    return version < current ? SchemaAge::Older : SchemaAge::Newer;
}

void migrate(Database& database, std::span<const std::string_view> steps,
             const std::filesystem::path& copyFolder)
{
    if (schemaAge(database, steps) != SchemaAge::Older)
        return;
    const auto version = static_cast<std::size_t>(database.schemaVersion());
    if (version > 0 && !copyFolder.empty()) {
        std::error_code failed; // the copy then says what is wrong
        std::filesystem::create_directories(copyFolder, failed);
        const std::string name =
            database.file().stem().string() + "-version-" + std::to_string(version) + ".db";
        database.copyTo(copyFolder / name);
    }
    for (std::size_t step = version; step < steps.size(); ++step) {
        Transaction transaction(database);
        database.runScript(steps[step]);
        database.runScript("PRAGMA user_version = " + std::to_string(step + 1));
        transaction.commit();
    }
}

} // namespace app
