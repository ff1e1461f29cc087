#include "engine/methods/surprisal.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace engine {
namespace {

bool endsSentence(const std::string& token, const std::string& next)
{
    const auto last = token.find_last_not_of(' ');
    if (last == std::string::npos)
        return false;
    const bool stop = token[last] == '.' || token[last] == '!' || token[last] == '?';
    const bool blank = last + 1 < token.size() || (!next.empty() && next.front() == ' ');
    return stop && blank;
}

double meanOf(std::span<const float> values)
{
    double sum = 0;
    for (const float value : values)
        sum += static_cast<double>(value);
    const double mean = sum / static_cast<double>(values.size());
    return std::isnan(mean) ? -std::numeric_limits<double>::infinity() : mean;
}

} // namespace

float surprisal(std::span<const float> logits, std::int32_t token)
{
    const float largest = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float logit : logits)
        sum += std::exp(static_cast<double>(logit) - static_cast<double>(largest));
    return static_cast<float>(std::log(sum) + static_cast<double>(largest) -
                              static_cast<double>(logits[static_cast<std::size_t>(token)]));
}

std::vector<TextSegment> segmentsOfText(std::uint32_t tokens, std::uint32_t longest,
                                        const std::function<std::string(std::uint32_t)>& text)
{
    std::vector<TextSegment> segments;
    std::uint32_t begin = 0;
    std::string current = tokens > 0 ? text(0) : "";
    for (std::uint32_t token = 0; token < tokens; ++token) {
        std::string next = token + 1 < tokens ? text(token + 1) : "";
        const bool ends = current.ends_with('\n') || endsSentence(current, next) ||
                          token + 1 - begin == longest || token + 1 == tokens;
        if (ends) {
            segments.push_back({begin, token + 1});
            begin = token + 1;
        }
        current = std::move(next);
    }
    return segments;
}

std::vector<std::uint32_t> mostSurprising(std::span<const float> surprisals,
                                          std::span<const TextSegment> segments, std::size_t budget)
{
    struct Ranked
    {
        double mean;
        TextSegment segment;
    };
    std::vector<Ranked> ranked;
    for (const TextSegment& segment : segments) {
        ranked.push_back(
            {meanOf(surprisals.subspan(segment.begin, segment.end - segment.begin)), segment});
    }
    std::ranges::stable_sort(ranked, std::ranges::greater(), &Ranked::mean);
    std::vector<std::uint32_t> kept;
    for (const Ranked& each : ranked) {
        for (std::uint32_t token = each.segment.begin;
             token < each.segment.end && kept.size() < budget; ++token)
            kept.push_back(token);
    }
    std::ranges::sort(kept);
    return kept;
}

} // namespace engine
