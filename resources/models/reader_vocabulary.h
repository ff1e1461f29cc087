#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

namespace resources {

/// The byte-level BPE vocabulary of the constructed reader: the begin mark, 256 bytes, one token
/// for each merge.
struct ReaderVocabulary
{
    std::vector<std::string> tokens; // in the byte-to-letter spelling of byte-level BPE
    std::vector<std::int32_t> types; // GGUF's token types: 1 normal, 3 control
    std::vector<std::string> merges; // "left right"
    std::int32_t begin = 0;
    std::int32_t lineFeed = 0; // a token of its own always; ends a generation
};

/// Reads merges.txt. Throws engine::Error (Damaged) unless it gives exactly kVocabulary tokens.
ReaderVocabulary readVocabulary(std::istream& merges);

} // namespace resources
