#pragma once

#include "engine/text/tokenizer.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace app {

/// Pages of a text that has none of its own hold at most about this many bytes: a printed page or
/// two.
inline constexpr std::size_t kReflowedPageBytes = 3'000;

/// Cuts `text` into pieces of at most `pageBytes` that cover it without a gap. A piece ends, by
/// preference, after a blank line, a line, a sentence, a word; white space stays with the piece
/// before it. The result depends on nothing else, so a page number means the same place on every
/// machine. `text` is valid UTF-8. An empty text gives no piece.
std::vector<engine::ByteRange> cutIntoPages(std::string_view text,
                                            std::size_t pageBytes = kReflowedPageBytes);

} // namespace app
