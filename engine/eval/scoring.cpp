#include "engine/eval/scoring.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <sstream>

namespace engine {
namespace {

std::map<std::string, std::size_t> wordCounts(std::string_view answer)
{
    std::istringstream stream(normalisedAnswer(answer));
    std::map<std::string, std::size_t> counts;
    for (std::string word; stream >> word;)
        ++counts[word];
    return counts;
}

std::size_t total(const std::map<std::string, std::size_t>& counts)
{
    std::size_t sum = 0;
    for (const auto& [word, count] : counts)
        sum += count;
    return sum;
}

double wordF1(std::string_view answer, std::string_view expected)
{
    const auto given = wordCounts(answer);
    const auto wanted = wordCounts(expected);
    if (given.empty() || wanted.empty())
        return given.empty() && wanted.empty() ? 1.0 : 0.0;
    std::size_t common = 0;
    for (const auto& [word, count] : given) {
        const auto found = wanted.find(word);
        common += found == wanted.end() ? 0 : std::min(count, found->second);
    }
    return 2.0 * static_cast<double>(common) / static_cast<double>(total(given) + total(wanted));
}

} // namespace

std::string normalisedAnswer(std::string_view answer)
{
    std::string text;
    for (const char each : answer) {
        const auto byte = static_cast<unsigned char>(each);
        if (std::isspace(byte) == 0)
            text += static_cast<char>(std::tolower(byte));
        else if (!text.empty() && text.back() != ' ')
            text += ' ';
    }
    const auto isEdge = [](char each) {
        const auto byte = static_cast<unsigned char>(each);
        return std::isspace(byte) != 0 || std::ispunct(byte) != 0;
    };
    while (!text.empty() && isEdge(text.back()))
        text.pop_back();
    const auto first = std::ranges::find_if_not(text, isEdge);
    return {first, text.end()};
}

bool isExact(std::string_view answer, const std::vector<std::string>& accepted)
{
    const std::string given = normalisedAnswer(answer);
    return std::ranges::any_of(
        accepted, [&](const std::string& each) { return normalisedAnswer(each) == given; });
}

double tokenF1(std::string_view answer, const std::vector<std::string>& accepted)
{
    double best = 0;
    for (const std::string& each : accepted)
        best = std::max(best, wordF1(answer, each));
    return best;
}

Interval wilsonInterval(std::size_t successes, std::size_t trials)
{
    if (trials == 0)
        return {};
    constexpr double kQuantile = 1.959963984540054; // 97.5 % of a standard normal distribution
    const auto n = static_cast<double>(trials);
    const double share = static_cast<double>(successes) / n;
    const double centre = share + kQuantile * kQuantile / (2 * n);
    const double spread =
        kQuantile * std::sqrt(share * (1 - share) / n + kQuantile * kQuantile / (4 * n * n));
    const double scale = 1 + kQuantile * kQuantile / n;
    return {std::max(0.0, (centre - spread) / scale), std::min(1.0, (centre + spread) / scale)};
}

} // namespace engine
