#include "app/documents/file_name.h"

#include "app/documents/utf8.h"

namespace app {

namespace {

constexpr std::size_t kMaxNameBytes = 160;

} // namespace

std::string quotedName(const std::filesystem::path& file)
{
    std::string name = cleanLine(file.filename().native(), kMaxNameBytes);
    if (name.empty())
        name = cleanLine(file.native(), kMaxNameBytes);
    return "“" + name + "”";
}

std::string titleFromFileName(const std::filesystem::path& file)
{
    const std::string title = cleanLine(file.stem().native(), kMaxNameBytes);
    return title.empty() ? "Untitled" : title;
}

} // namespace app
