#include "app/documents/document_reader.h"

#include "app/documents/document_builder.h"
#include "app/documents/epub_reader.h"
#include "app/documents/file_name.h"
#include "app/documents/import_limits.h"
#include "app/documents/pdf_reader.h"
#include "app/documents/sha256.h"
#include "app/documents/text_reader.h"
#include "engine/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <string_view>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;

using Reader = void (*)(const std::filesystem::path&, ImportSink&);

// The PDF format lets its mark stand anywhere in the first 1024 bytes.
constexpr std::size_t kSniffedBytes = 1024;

struct Suffix
{
    std::string_view suffix;
    Reader reader; // null: a kind that is known and cannot be read
};

constexpr std::array<Suffix, 22> kSuffixes = {{
    {".pdf", &readPdfDocument},
    {".epub", &readEpubDocument},
    {".md", &readMarkdownDocument},
    {".markdown", &readMarkdownDocument},
    {".txt", &readTextDocument},
    {".text", &readTextDocument},
    {".html", nullptr},
    {".htm", nullptr},
    {".xhtml", nullptr},
    {".rtf", nullptr},
    {".doc", nullptr},
    {".docx", nullptr},
    {".odt", nullptr},
    {".pages", nullptr},
    {".mobi", nullptr},
    {".azw", nullptr},
    {".azw3", nullptr},
    {".djvu", nullptr},
    {".fb2", nullptr},
    {".xps", nullptr},
    {".ps", nullptr},
    {".pptx", nullptr},
}};

std::string lowerSuffix(const std::filesystem::path& file)
{
    std::string suffix = file.extension().string();
    std::ranges::transform(suffix, suffix.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    return suffix;
}

std::string firstBytes(const std::filesystem::path& file)
{
    std::ifstream stream(file, std::ios::binary);
    std::string bytes(kSniffedBytes, '\0');
    stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(stream.gcount()));
    if (bytes.empty())
        throw Error(ErrorCode::NotFound, quotedName(file) + " could not be opened for reading.",
                    file.string() + ": " + std::strerror(errno));
    return bytes;
}

/// Content wins over the name, except where the name promises a kind that the content is not.
Reader chooseReader(const std::filesystem::path& file)
{
    const std::string name = quotedName(file);
    const std::string suffix = lowerSuffix(file);
    const auto* known = std::ranges::find(kSuffixes, std::string_view(suffix), &Suffix::suffix);
    const Reader byName = known == kSuffixes.end() ? nullptr : known->reader;
    if (known != kSuffixes.end() && byName == nullptr)
        throw Error(ErrorCode::Unsupported, name + " is of a kind that cannot be read yet (" +
                                                suffix +
                                                "). Save it as PDF or EPUB and import that.");
    const std::string bytes = firstBytes(file);
    if (bytes.find("%PDF-") != std::string::npos && byName != &readTextDocument &&
        byName != &readMarkdownDocument)
        return &readPdfDocument;
    if (bytes.starts_with("%PDF-"))
        return &readPdfDocument;
    if (bytes.starts_with("PK\x03\x04"))
        return &readEpubDocument;
    if (byName == &readPdfDocument)
        throw Error(ErrorCode::Damaged,
                    name + " is not a PDF, although its name says so. It may be damaged or "
                           "have been saved wrongly; try another copy of it.");
    if (byName == &readEpubDocument)
        throw Error(ErrorCode::Damaged,
                    name + " is not an EPUB book, although its name says so. It may be "
                           "damaged; try another copy of it.");
    return byName == nullptr ? &readTextDocument : byName;
}

} // namespace

void requireReadableFile(const std::filesystem::path& file)
{
    std::error_code problem;
    const std::filesystem::file_status status = std::filesystem::status(file, problem);
    if (status.type() == std::filesystem::file_type::not_found)
        throw Error(ErrorCode::NotFound,
                    quotedName(file) + " does not exist. Check the name and the folder.",
                    file.string());
    if (std::filesystem::is_directory(status))
        throw Error(ErrorCode::BadInput,
                    quotedName(file) +
                        " is a folder. Choose the files in it that should be imported.");
    if (!std::filesystem::is_regular_file(status))
        throw Error(ErrorCode::BadInput, quotedName(file) + " is not a file that can be imported.",
                    problem.message());
    const std::uintmax_t size = std::filesystem::file_size(file, problem);
    if (problem)
        throw Error(ErrorCode::NotFound, quotedName(file) + " could not be opened for reading.",
                    problem.message());
    if (size == 0)
        throw Error(ErrorCode::BadInput,
                    quotedName(file) +
                        " is empty (0 bytes). It may not have been downloaded to its end.");
    if (size > ImportLimits::kFileBytes)
        throw Error(
            ErrorCode::TooLarge,
            quotedName(file) +
                " is larger than 2 GB, the most that can be imported. Split it into parts.");
}

void readInto(const std::filesystem::path& file, ImportSink& sink)
{
    try {
        requireReadableFile(file);
        chooseReader(file)(file, sink);
    } catch (const Error&) {
        throw;
    } catch (const std::bad_alloc&) {
        throw Error(ErrorCode::OutOfMemory,
                    quotedName(file) +
                        " needs more memory than an import may use. Split it into parts.");
    } catch (const std::exception& problem) {
        throw Error(ErrorCode::Damaged,
                    quotedName(file) +
                        " could not be read; it may be damaged. Try another copy of it.",
                    problem.what());
    }
}

ImportedDocument readDocument(const std::filesystem::path& file,
                              const std::function<void(const ImportProgress&)>& onProgress,
                              std::stop_token stop)
{
    requireReadableFile(file);
    DocumentBuilder builder(quotedName(file), onProgress, stop);
    readInto(file, builder);
    return builder.finish(sha256OfFile(file, stop));
}

} // namespace app
