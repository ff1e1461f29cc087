#include "resources/models/token_codes.h"

#include <cstdint>
#include <numeric>
#include <utility>

namespace resources {

std::vector<TokenCode> tokenCodes()
{
    static_assert(kVocabulary == std::size_t{1} << kCodeBits);
    std::vector<std::uint32_t> words(kVocabulary);
    std::iota(words.begin(), words.end(), 0U);
    // Fisher-Yates with Knuth's MMIX generator: the same order with every compiler and library.
    std::uint64_t state = 20240726;
    for (std::size_t i = words.size() - 1; i > 0; --i) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        std::swap(words[i], words[(state >> 33U) % (i + 1)]);
    }
    std::vector<TokenCode> codes(words.size());
    for (std::size_t token = 0; token < words.size(); ++token) {
        for (std::size_t bit = 0; bit < kCodeBits; ++bit) {
            codes[token][bit] = (words[token] >> bit & 1U) != 0U ? 1.0F : -1.0F;
        }
    }
    return codes;
}

} // namespace resources
