#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace app {

/// One line of a book's table of contents and the place it names.
struct ContentsLink
{
    std::string title;
    int level = 0;
    std::string path;     // name inside the archive
    std::string fragment; // id in that part; may be empty
};

/// The contents of EPUB 3: nested lists in the "toc" element of the navigation page.
/// `path` is the page's own name inside the archive.
std::vector<ContentsLink> readNavigationPage(std::string_view bytes, const std::string& path);

/// The contents of EPUB 2: nested points of an NCX file.
std::vector<ContentsLink> readNcx(std::string_view bytes, const std::string& path);

} // namespace app
