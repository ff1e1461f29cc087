#pragma once

#include "engine/text/tokenizer.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace app {

using engine::ByteRange; // here always of ImportedDocument::text

enum class DocumentKind
{
    Pdf,
    Epub,
    Text,
    Markdown
};

/// "pdf", "epub", "text" or "markdown": the name used in JSON and in the library.
std::string_view documentKindName(DocumentKind kind);

/// Inverse of documentKindName. @throws engine::Error (BadInput) for any other name.
DocumentKind documentKindFromName(std::string_view name);

/// A printed word and where it stands on its page.
/// The bytes are exactly the letters inside the box: both come from the same extraction.
/// A word that was hyphenated over a line end is two entries with adjacent ranges (the hyphen is in
/// neither), so a match of a byte range with words is always a match by overlap, never by equality.
struct ImportedWord
{
    ByteRange range;
    float x = 0;      // points (1/72 inch), from the left edge of the page
    float y = 0;      // points, from the top edge of the page
    float width = 0;  // points
    float height = 0; // points

    bool operator==(const ImportedWord&) const = default;
};

/// One page as printed (PDF), or one stable piece of a text that has no pages of its own.
struct ImportedPage
{
    std::string label; // as printed ("iv", "A-3"); a running number where there is none
    ByteRange range;   // begins where the page before it ends
    double width = 0;  // points; 0 for reflowed documents
    double height = 0; // points; 0 for reflowed documents
    std::vector<ImportedWord> words; // in ascending order of range; empty for reflowed documents
    bool hasText = false;            // at least one visible character was read
    bool blank = false;              // PDF without text: true if nothing is printed on it either

    bool operator==(const ImportedPage&) const = default;
};

/// One line of the table of contents.
struct OutlineEntry
{
    std::string title;
    int level = 0;             // 0 is the outermost
    std::size_t pageIndex = 0; // into ImportedDocument::pages

    bool operator==(const OutlineEntry&) const = default;
};

/// A document as it was read: the text, and what of it stands where.
/// `text` is valid UTF-8 without NUL; the ranges of the pages cover it without a gap, in order.
struct ImportedDocument
{
    std::string title;  // from the file's own data, else the file name without suffix; never empty
    std::string author; // empty if the file does not say
    DocumentKind kind = DocumentKind::Text;
    std::string text;
    std::vector<ImportedPage> pages;
    std::vector<OutlineEntry> outline;
    std::string fileSha256;            // 64 lower-case hexadecimal digits
    std::string textSha256;            // of `text`
    std::size_t wordCount = 0;         // of `text`, split at white space
    std::size_t pagesWithoutText = 0;  // pages that are not blank but carry no text: scans
    std::vector<std::string> warnings; // one sentence each, for a person
    std::string detectedEncoding;      // "UTF-8", "WINDOWS-1252", ...; empty for PDF

    bool operator==(const ImportedDocument&) const = default;
};

/// How far an import has come. `pagesTotal` is 0 while it is not known.
struct ImportProgress
{
    std::size_t pagesRead = 0;
    std::size_t pagesTotal = 0;
};

} // namespace app
