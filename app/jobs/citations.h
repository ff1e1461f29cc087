#pragma once

#include "app/library/records.h"
#include "engine/engine.h"

#include <span>
#include <string_view>
#include <vector>

namespace app {

/// The document that an answer is about.
struct CitedDocument
{
    std::string_view text;
    std::span<const PageRecord> pages;
    std::span<const ByteRange> tokenRanges; // of the document's tokens, in the text
};

/// One citation for each sentence of the answer that the document supports; sentences quoted one
/// behind the other on the same page share one. A sentence (or its
/// longest part of at least four words) that stands in the document word for word is cited there;
/// among several places the one that the answer's attention fell on most is taken. A sentence that
/// is not there word for word gets the page that holds most of its attention, if that is clear and
/// the page shares two words with it that few other pages have, without a quote: a mark on the
/// wrong words would be worse than none. A sentence that says that nothing was found cites nothing.
/// Page numbers never come from the answer's own words.
std::vector<CitationRecord> findCitations(const CitedDocument& document,
                                          const engine::Answer& answer);

/// The page that holds a byte of the text.
std::size_t pageIndexOf(std::span<const PageRecord> pages, std::uint32_t offset);

} // namespace app
