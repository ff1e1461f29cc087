#pragma once

#include "app/store/database.h"

#include <filesystem>
#include <span>
#include <string_view>

namespace app {

/// The steps of resources/schema, in order: step i makes version i + 1 out of version i.
std::span<const std::string_view> librarySchema();
std::span<const std::string_view> contextsSchema();

enum class SchemaAge
{
    Same,
    Older,
    Newer
};

/// How the schema of a file compares with the steps of this program.
SchemaAge schemaAge(const Database& database, std::span<const std::string_view> steps);

/// Brings a file that is not newer to the last version, each step in one transaction of its own. A
/// file that has tables is first copied to `copyFolder` (not if that is empty).
void migrate(Database& database, std::span<const std::string_view> steps,
             const std::filesystem::path& copyFolder);

} // namespace app
