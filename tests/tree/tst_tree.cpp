// What the compiler does not check: who may include whom, how long a file may grow, and that no
// path of the machine on which it was written stays behind.

#include "tests/tree/source_files.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kMostLines = 400;

constexpr std::string_view kQt = "Q[A-Z]";
constexpr std::string_view kDatabase = "sqlite3";
constexpr std::string_view kPoppler = "poppler";
constexpr std::string_view kJson = "nlohmann";

struct Rule
{
    std::string_view folder;
    std::vector<std::string_view>
        forbidden; // beginnings of what stands between the quotes or brackets
};

const std::vector<Rule>& rules()
{
    static const std::vector<Rule> kRules{
        {"kernels", {"engine/", "app/", "ui/", "tests/", kQt, kDatabase, kPoppler, kJson}},
        {"engine", {"app/", "ui/", "tests/", kQt, kDatabase, kPoppler, kJson}},
        {"app", {"ui/", "tests/"}},
        {"app/store", {"ui/", "kernels/", kQt, kPoppler}},
        {"ui", {"tests/", "kernels/", kDatabase, kPoppler}},
    };
    return kRules;
}

/// Only the composition root may know everyone.
bool isCompositionRoot(const std::filesystem::path& path)
{
    const std::string name = path.generic_string();
    return name.starts_with("app/main") || name.starts_with("app/application");
}

std::string included(const std::string& line)
{
    static const std::regex kInclude(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
    std::smatch match;
    return std::regex_search(line, match, kInclude) ? match[1].str() : std::string();
}

bool beginsWith(const std::string& text, std::string_view pattern)
{
    return std::regex_search(text, std::regex("^(?:" + std::string(pattern) + ")"));
}

TEST_CASE("includes point one way")
{
    for (const Rule& rule : rules()) {
        const auto files = tests::sourceFiles(rule.folder);
        CHECK_MESSAGE(!files.empty(), rule.folder, " has no source files");
        for (const auto& file : files) {
            if (isCompositionRoot(file.path)) {
                continue;
            }
            for (const auto& line : file.lines) {
                const std::string name = included(line);
                for (const std::string_view pattern : rule.forbidden) {
                    const bool isForbidden = !name.empty() && beginsWith(name, pattern);
                    CHECK_MESSAGE(!isForbidden, file.path.string(), " includes ", name);
                }
            }
        }
    }
}

TEST_CASE("a rule finds what it forbids")
{
    CHECK(beginsWith(included("#include <QString>"), kQt));
    CHECK(beginsWith(included("#include \"app/store/database.h\""), "app/"));
    CHECK_FALSE(beginsWith(included("#include \"engine/application.h\""), "app/"));
    CHECK(included("// #include <QString>").empty());
}

TEST_CASE("no source file is longer than its readers can bear")
{
    for (const char* folder : {"kernels", "engine", "app", "ui", "tests", "resources"}) {
        for (const auto& file : tests::sourceFiles(folder)) {
            CHECK_MESSAGE(file.lines.size() <= kMostLines, file.path.string(), " has ",
                          file.lines.size(), " lines");
        }
    }
}

TEST_CASE("headers are included once")
{
    for (const char* folder : {"kernels", "engine", "app", "ui", "tests", "resources"}) {
        for (const auto& file : tests::sourceFiles(folder)) {
            if (file.path.extension() == ".h") {
                const bool hasGuard =
                    std::ranges::find(file.lines, "#pragma once") != file.lines.end();
                CHECK_MESSAGE(hasGuard, file.path.string(), " has no #pragma once");
            }
        }
    }
}

TEST_CASE("nothing names the machine it was written on")
{
    // Put together here, so that this file does not find itself.
    const std::vector<std::string> kPaths{std::string("/wo") + "rk/", std::string("/ro") + "ot/",
                                          std::string("/tmp/bu") + "ild"};
    for (const auto& file : tests::textFiles()) {
        for (const auto& line : file.lines) {
            for (const auto& path : kPaths) {
                CHECK_MESSAGE(line.find(path) == std::string::npos, file.path.string(), ": ", line);
            }
        }
    }
}

TEST_CASE("the scripts of a fresh machine are there and may be run")
{
    namespace fs = std::filesystem;
    for (const char* name : {"installer/run.sh", "installer/test.sh", ".ci/run"}) {
        const fs::path path = fs::path(SOURCE_DIR) / name;
        INFO(name);
        REQUIRE(fs::exists(path));
        const fs::perms perms = fs::status(path).permissions();
        CHECK((perms & fs::perms::owner_exec) != fs::perms::none);
        std::ifstream stream(path);
        const std::string text{std::istreambuf_iterator<char>(stream), {}};
        CHECK(text.starts_with("#!/usr/bin/env bash"));
        CHECK(text.find("set -euo pipefail") != std::string::npos);
    }
}

} // namespace
