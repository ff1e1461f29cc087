#pragma once

#include "engine/engine.h"

#include <filesystem>
#include <optional>
#include <string>

namespace app {

/// Bias tables as files in a folder of the data directory, for one preparation. What goes wrong
/// with a file costs time only: the table is measured anew.
class BiasTableFolder final : public engine::BiasTables
{
public:
    explicit BiasTableFolder(std::filesystem::path folder)
        : m_folder(std::move(folder))
    {}

    std::string find(const std::string& key) override;
    void keep(const std::string& key, const std::string& table) override;

    /// From now on nothing is found.
    void withhold() { m_withheld = true; }

    /// When the table that was found was measured, in milliseconds since 1970; absent when none
    /// was.
    std::optional<std::int64_t> foundFrom() const { return m_foundFrom; }
    bool hasKept() const { return m_hasKept; }
    /// Why a table could not be kept, as a sentence; empty when nothing went wrong.
    const std::string& warning() const { return m_warning; }

private:
    std::filesystem::path fileOf(const std::string& key) const;

    std::filesystem::path m_folder;
    std::optional<std::int64_t> m_foundFrom;
    std::string m_warning;
    bool m_withheld = false;
    bool m_hasKept = false;
};

} // namespace app
