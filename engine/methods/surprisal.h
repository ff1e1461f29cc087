#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace engine {

/// -ln p(token): the softmax over `logits`, summed in double precision. NaN where a logit is NaN.
float surprisal(std::span<const float> logits, std::int32_t token);

/// Half-open range of document tokens.
struct TextSegment
{
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
};

/// Cuts `tokens` tokens behind line ends, behind . ! ? before a blank, and after `longest` tokens.
/// `text` gives the text of one token.
std::vector<TextSegment> segmentsOfText(std::uint32_t tokens, std::uint32_t longest,
                                        const std::function<std::string(std::uint32_t)>& text);

/// The tokens of the segments with the highest mean surprisal, ascending, exactly `budget` of them
/// (at most all): the last segment taken is cut at its end. Equal means: the earlier segment
/// (selection.md 3.11). NaN counts as the lowest.
std::vector<std::uint32_t> mostSurprising(std::span<const float> surprisals,
                                          std::span<const TextSegment> segments,
                                          std::size_t budget);

} // namespace engine
