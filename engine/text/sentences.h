#pragma once

#include "engine/text/tokenizer.h"

#include <string_view>
#include <vector>

namespace engine {

/// Byte ranges of the sentences of a text, in order; together they are the whole text less what is
/// blank throughout, and blanks between two sentences belong to the second. A sentence ends at a
/// line's end, and at . ! or ? with the quotation marks and brackets that close there, if a blank
/// follows and then no small letter ("“Go!” she said" is one), and the stop belongs neither to a
/// title ("Mr.") nor to an initial. For English; never throws.
std::vector<ByteRange> splitSentences(std::string_view text);

} // namespace engine
