#include "app/store/migrations.h"
#include "engine/error.h"
#include "tests/app/store/temporary_folder.h"

#include <array>
#include <doctest/doctest.h>

using app::Database;
using app::SchemaAge;

namespace {

constexpr app::DatabaseOptions kOptions = {.applicationId = 5};

constexpr std::array<std::string_view, 3> kSteps = {"CREATE TABLE a (x); INSERT INTO a VALUES (1);",
                                                    "ALTER TABLE a ADD COLUMN y;",
                                                    "UPDATE a SET y = 2; CREATE TABLE b (z);"};

std::span<const std::string_view> firstSteps(std::size_t count)
{
    return std::span(kSteps).first(count);
}

} // namespace

TEST_CASE("a new file gets all steps and no copy")
{
    const tests::TemporaryFolder folder;
    Database database(folder.path() / "a.db", kOptions);
    app::migrate(database, kSteps, folder.path() / "backups");
    CHECK(database.schemaVersion() == 3);
    CHECK(database.integer("SELECT y FROM a") == 2);
    CHECK_FALSE(std::filesystem::exists(folder.path() / "backups"));
}

TEST_CASE("an older file is copied first and keeps its rows")
{
    const tests::TemporaryFolder folder;
    Database database(folder.path() / "a.db", kOptions);
    app::migrate(database, firstSteps(1), {});
    CHECK(app::schemaAge(database, kSteps) == SchemaAge::Older);
    app::migrate(database, kSteps, folder.path() / "backups");
    CHECK(app::schemaAge(database, kSteps) == SchemaAge::Same);
    CHECK(app::schemaAge(database, firstSteps(1)) == SchemaAge::Newer);
    CHECK(database.integer("SELECT x + y FROM a") == 3);

    const Database copy(folder.path() / "backups" / "a-version-1.db", kOptions);
    CHECK(copy.schemaVersion() == 1);
    CHECK(copy.integer("SELECT x FROM a") == 1);
}

TEST_CASE("a step that fails leaves the version before it")
{
    const tests::TemporaryFolder folder;
    Database database(folder.path() / "a.db", kOptions);
    const std::array<std::string_view, 2> steps = {kSteps[0], "CREATE TABLE c (x); NONSENSE;"};
    CHECK_THROWS_AS(app::migrate(database, steps, {}), engine::Error);
    CHECK(database.schemaVersion() == 1);
    CHECK(database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'c'") == 0);
    app::migrate(database, kSteps, {});
    CHECK(database.schemaVersion() == 3);
}

TEST_CASE("the shipped schemas apply to empty files")
{
    const tests::TemporaryFolder folder;
    for (const auto steps : {app::librarySchema(), app::contextsSchema()}) {
        REQUIRE_FALSE(steps.empty());
        Database database(":memory:", kOptions);
        app::migrate(database, steps, {});
        CHECK(database.schemaVersion() == static_cast<int>(steps.size()));
        CHECK(database.quickCheck().empty());
    }
}
