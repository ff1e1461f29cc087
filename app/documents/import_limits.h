#pragma once

#include <cstddef>
#include <cstdint>

namespace app {

/// What one document may be. Beyond it the import is refused with a sentence that names the limit.
struct ImportLimits
{
    static constexpr std::uint64_t kFileBytes = std::uint64_t{2} << 30;
    static constexpr std::uint64_t kTextFileBytes = std::uint64_t{256} << 20;
    static constexpr std::size_t kDocumentTextBytes = std::size_t{256} << 20;
    static constexpr std::size_t kPageTextBytes = std::size_t{2} << 20;
    static constexpr std::size_t kPageWords = 200'000;
    static constexpr std::size_t kDocumentWords = 20'000'000;
    static constexpr std::size_t kPages = 200'000;
    static constexpr std::size_t kOutlineEntries = 50'000;
    static constexpr std::size_t kTitleBytes = 1'000;
    static constexpr std::size_t kLabelBytes = 60;
    static constexpr std::size_t kWarnings = 100;
    static constexpr std::size_t kWarningBytes = 2'000;
    static constexpr double kPagePoints =
        1e6; // the PDF format itself ends at 14,400 times a user unit
};

} // namespace app
