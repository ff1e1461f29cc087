#include "app/documents/reflowed_pages.h"

#include <algorithm>

namespace app {

void addReflowedPages(std::string_view text, const std::vector<ByteRange>& pages, ImportSink& sink)
{
    for (std::size_t index = 0; index < pages.size(); ++index) {
        sink.checkCancelled();
        const ByteRange range = pages[index];
        PageContent content;
        content.text = text.substr(range.begin, range.end - range.begin);
        content.page.label = std::to_string(index + 1);
        content.page.range = {0, range.end - range.begin};
        content.page.blank =
            true; // counts only where there is no text: there is no picture to read then
        sink.addPage(std::move(content));
    }
}

std::size_t pageAt(const std::vector<ByteRange>& pages, std::size_t offset)
{
    const auto after = std::ranges::upper_bound(pages, offset, {}, &ByteRange::begin);
    return after == pages.begin() ? 0 : static_cast<std::size_t>(after - pages.begin()) - 1;
}

} // namespace app
