#pragma once

#include <string>

namespace app {

struct DecodedText
{
    std::string
        text; // valid UTF-8 with line feeds only; no control characters but tab, line and form feed
    std::string encoding; // as detected: "UTF-8", "UTF-16LE", "WINDOWS-1252", ...
    bool lossy = false;   // some bytes meant nothing in this encoding and became U+FFFD
};

/// Finds the encoding of a whole file and converts it: byte order mark, strict UTF-8, UTF-16
/// without a mark by its zero bytes, then a statistical guess, and WINDOWS-1252 where even that has
/// no opinion. `fileName` is the quoted name for sentences.
/// @throws engine::Error (Unsupported) for bytes that are not text.
DecodedText decodeText(std::string bytes, const std::string& fileName);

} // namespace app
