#include "app/library/daily_copies.h"

#include "engine/error.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>
#include <utility>
#include <vector>

namespace app {
namespace {

/// Files beginning with `prefix`, in the order of their names, which is that of their dates.
std::vector<std::filesystem::path> filesIn(const std::filesystem::path& folder,
                                           std::string_view prefix)
{
    std::vector<std::filesystem::path> files;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed))
        if (entry.path().filename().native().starts_with(prefix))
            files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

std::string todaysName()
{
    const std::time_t time = std::time(nullptr);
    std::tm day = {};
    ::gmtime_r(&time, &day);
    std::array<char, sizeof "library-day-2000-01-01.db"> name = {};
    std::strftime(name.data(), name.size(), "library-day-%Y-%m-%d.db", &day);
    return name.data();
}

} // namespace

DailyCopies::DailyCopies(std::filesystem::path folder, int keep)
    : m_folder(std::move(folder))
    , m_keep(keep)
{}

void DailyCopies::makeTodaysCopy(const Database& library) const
{
    const std::filesystem::path target = m_folder / todaysName();
    std::error_code failed; // the copy then says what is wrong
    if (m_keep <= 0 || std::filesystem::exists(target, failed))
        return;
    std::filesystem::create_directories(m_folder, failed);
    library.copyTo(target);
    const auto copies = filesIn(m_folder, "library-day-");
    const auto keep = static_cast<std::size_t>(m_keep);
    for (std::size_t i = 0; i + keep < copies.size(); ++i)
        std::filesystem::remove(copies[i], failed);
}

void DailyCopies::removeAll() const
{
    std::error_code failed;
    for (const auto& copy : filesIn(m_folder, "library-")) {
        std::filesystem::remove(copy, failed);
        if (failed)
            throw engine::Error(engine::ErrorCode::ReadOnly,
                                "The copy \"" + copy.string() +
                                    "\" still holds what was deleted and cannot be removed: remove "
                                    "it by hand.",
                                failed.message());
    }
}

std::filesystem::path DailyCopies::newest() const
{
    const auto copies = filesIn(m_folder, "library-");
    return copies.empty() ? std::filesystem::path() : copies.back();
}

} // namespace app
