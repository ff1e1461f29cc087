#include "app/jobs/pinned_pages.h"

#include "engine/error.h"

#include <charconv>
#include <utility>

namespace app {
namespace {

[[noreturn]] void refuseName(const std::string& name, std::size_t pages)
{
    throw engine::Error(engine::ErrorCode::BadInput,
                        "\"" + name + "\" names no pages of the document. It has " +
                            std::to_string(pages) + (pages == 1 ? " page" : " pages") +
                            "; write a page as 1" +
                            (pages < 2 ? "" : ", or several as 1-" + std::to_string(pages)) + ".");
}

/// First and last page, counted from 1.
std::pair<std::size_t, std::size_t> pagesOf(const std::string& name, std::size_t pages)
{
    std::size_t first = 0;
    std::size_t last = 0;
    const char* const end = name.data() + name.size();
    auto read = std::from_chars(name.data(), end, first);
    last = first;
    if (read.ec == std::errc() && read.ptr != end && *read.ptr == '-')
        read = std::from_chars(read.ptr + 1, end, last);
    if (read.ec != std::errc() || read.ptr != end || first == 0 || first > last || last > pages)
        refuseName(name, pages);
    return {first, last};
}

} // namespace

std::vector<engine::ByteRange> pinnedText(const std::vector<PageRecord>& pages,
                                          const std::vector<std::string>& names)
{
    std::vector<engine::ByteRange> ranges;
    for (const std::string& name : names) {
        const auto [first, last] = pagesOf(name, pages.size());
        for (std::size_t page = first; page <= last; ++page) {
            const auto& range = pages[page - 1].range;
            if (range.begin < range.end)
                ranges.push_back(range);
        }
    }
    return ranges;
}

} // namespace app
