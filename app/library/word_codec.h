#pragma once

#include "app/documents/imported_document.h"

#include <cstddef>
#include <span>
#include <vector>

namespace app {

/// The words of one page in one value, about 8 bytes a word. For each word: bytes skipped since
/// the word before, bytes of the word, then left edge relative to the right edge of the word
/// before, top relative to its top, width, and height relative to its height, in 1/64 point. All
/// are LEB128 numbers, the last four zigzag-coded. A page begins at `pageBegin`.
/// Coordinates beyond +-1,000,000 points, and those that are not numbers, are cut to that range.
std::vector<std::byte> encodeWords(std::span<const ImportedWord> words, std::size_t pageBegin);

/// Inverse of encodeWords but for the rounding. The ranges of the result ascend and lie within
/// [page.begin, page.end). Errors: Damaged when the bytes are not `count` such words.
std::vector<ImportedWord> decodeWords(std::span<const std::byte> bytes, std::size_t count,
                                      ByteRange page);

} // namespace app
