#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tests {

/// A folder of its own for one test, removed at its end.
class TemporaryFolder
{
public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::filesystem::path& path() const { return m_path; }
    std::filesystem::path write(const std::string& name, std::string_view bytes) const;

private:
    std::filesystem::path m_path;
};

using ArchiveEntries = std::vector<std::pair<std::string, std::string>>; // name, content

/// Writes a ZIP archive with these entries, names as they are.
void writeArchive(const std::filesystem::path& file, const ArchiveEntries& entries);

/// The entries of a small valid EPUB 3 with these spine parts ("one.xhtml" and so on, in order).
ArchiveEntries bookWith(const std::vector<std::string>& bodies);

/// A word of a test PDF; x and baseline in points from the bottom left corner, as in the format.
struct PdfText
{
    double x = 0;
    double baseline = 0;
    std::string text;
    double size = 10;
};

struct PdfPage
{
    std::vector<PdfText> texts = {};
    std::string drawing = {}; // further operators of the content stream
    double width = 300;
    double height = 400;
};

/// A PDF 1.4 with Helvetica text. `catalogEntries` is added to the catalog, for labels and the
/// like.
std::string makePdf(const std::vector<PdfPage>& pages, const std::string& catalogEntries = {});

} // namespace tests
