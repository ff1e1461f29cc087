#pragma once

#include "app/documents/zip_archive.h"

#include <string>
#include <vector>

namespace app {

/// What the package file of an EPUB says. Paths are names inside the archive.
struct EpubPackage
{
    std::string title;  // empty if missing
    std::string author; // several joined by "; "
    std::vector<std::string> spine;
    std::string navigation; // EPUB 3 contents; empty if missing
    std::string ncx;        // EPUB 2 contents; empty if missing
    bool hasUnreadableParts =
        false; // the spine names parts that are not text, or not in the manifest
};

/// Finds and reads the package file. `fileName` is the quoted name for sentences.
/// @throws engine::Error Unsupported for an archive that is no EPUB and for copy protection,
/// Damaged.
EpubPackage readEpubPackage(ZipArchive& archive, const std::string& fileName);

/// `href` as a name inside the archive: percent-decoded, without fragment, relative to the folder
/// of `base`; "" where it leaves the archive or names another place.
std::string resolveArchivePath(std::string_view base, std::string_view href);

} // namespace app
