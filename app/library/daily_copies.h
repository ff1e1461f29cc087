#pragma once

#include "app/store/database.h"

#include <filesystem>

namespace app {

/// Copies of library.db in one folder, one a day. What was deleted from the library must be in
/// none of them, so a deletion replaces them all by one new copy.
class DailyCopies
{
public:
    DailyCopies(std::filesystem::path folder, int keep);

    const std::filesystem::path& folder() const { return m_folder; }
    /// Makes the copy of today if it is missing, and drops the oldest ones beyond the limit.
    void makeTodaysCopy(const Database& library) const;
    /// Drops every copy, those made before a migration included.
    void removeAll() const;
    /// Empty if there is none.
    std::filesystem::path newest() const;

private:
    std::filesystem::path m_folder;
    int m_keep;
};

} // namespace app
