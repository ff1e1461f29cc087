#pragma once

#include "app/documents/imported_document.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// A text with every run of white space made one space, and the way back to the original bytes:
/// quotations are compared in this form, because a page's line breaks are not part of what was
/// said.
class NormalisedText
{
public:
    explicit NormalisedText(std::string_view text);

    const std::string& text() const { return m_text; }
    /// The original bytes of a range of the normalised text.
    ByteRange original(std::size_t begin, std::size_t end) const;

private:
    std::string m_text;
    std::vector<std::uint32_t> m_offsets; // of each byte, and of the end
};

} // namespace app
