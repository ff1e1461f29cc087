#include "resources/models/reader_vocabulary.h"

#include "engine/error.h"

#include <array>

#include "resources/models/reader_design.h"

namespace resources {

namespace {

bool isPlain(unsigned byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/// The letter of each byte: printable ones stand for themselves, the others for U+0100 onwards.
std::array<std::string, 256> byteLetters()
{
    std::array<std::string, 256> letters;
    unsigned next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const unsigned letter = isPlain(byte) ? byte : next++;
        if (letter < 0x80) {
            letters[byte] = std::string(1, static_cast<char>(letter));
        } else { // two bytes of UTF-8 reach up to U+07FF
            letters[byte] = {static_cast<char>(0xC0U | letter >> 6U),
                             static_cast<char>(0x80U | (letter & 0x3FU))};
        }
    }
    return letters;
}

} // namespace

ReaderVocabulary readVocabulary(std::istream& merges)
{
    ReaderVocabulary vocabulary;
    vocabulary.tokens.emplace_back("<|begin|>");
    vocabulary.types.push_back(3);
    for (const std::string& letter : byteLetters()) {
        vocabulary.tokens.push_back(letter);
        vocabulary.types.push_back(1);
    }
    vocabulary.lineFeed = vocabulary.begin + 1 + '\n';
    for (std::string line; std::getline(merges, line);) {
        const std::size_t blank = line.find(' ');
        if (blank == std::string::npos) {
            throw engine::Error(engine::ErrorCode::Damaged,
                                "The merge list of the constructed reader has a line without a "
                                "blank; make it again with train_merges.py.",
                                line);
        }
        vocabulary.tokens.push_back(line.substr(0, blank) + line.substr(blank + 1));
        vocabulary.types.push_back(1);
        vocabulary.merges.push_back(line);
    }
    if (vocabulary.tokens.size() != kVocabulary) {
        throw engine::Error(engine::ErrorCode::Damaged,
                            "The merge list of the constructed reader makes " +
                                std::to_string(vocabulary.tokens.size()) + " tokens instead of " +
                                std::to_string(kVocabulary) +
                                "; make it again with train_merges.py.");
    }
    return vocabulary;
}

} // namespace resources
