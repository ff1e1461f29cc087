#include "kernels/select.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

namespace kernels::cpu {
namespace {

/// An integer that orders like the number; NaN like -infinity, -0 like 0.
std::uint32_t orderedKey(float value)
{
    const float number = std::isnan(value) ? -std::numeric_limits<float>::infinity() : value + 0.0F;
    const auto bits = std::bit_cast<std::uint32_t>(number);
    return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

std::vector<std::uint64_t> orderedKeys(std::span<const float> scores, std::span<const float> second)
{
    std::vector<std::uint64_t> keys(scores.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const std::uint64_t low = second.empty() ? 0 : orderedKey(second[i]);
        keys[i] = (static_cast<std::uint64_t>(orderedKey(scores[i])) << 32U) | low;
    }
    return keys;
}

} // namespace

std::vector<std::uint32_t> selectTop(std::span<const float> scores, std::span<const float> second,
                                     std::size_t count, TieRule ties)
{
    if (!second.empty() && second.size() != scores.size())
        throw std::invalid_argument("the second scores do not match the first");
    count = std::min(count, scores.size());
    std::vector<std::uint32_t> chosen;
    if (count == 0)
        return chosen;
    const std::vector<std::uint64_t> keys = orderedKeys(scores, second);
    std::vector<std::uint64_t> order = keys;
    const auto last = order.begin() + static_cast<std::ptrdiff_t>(count - 1);
    std::ranges::nth_element(order, last, std::greater<>());
    const std::uint64_t threshold = *last;

    // Everything above the threshold is in; those at it share the places that are left.
    const auto above = static_cast<std::size_t>(
        std::ranges::count_if(keys, [=](std::uint64_t key) { return key > threshold; }));
    const auto equal = static_cast<std::size_t>(std::ranges::count(keys, threshold));
    const std::size_t places = count - above;
    const std::size_t firstEqual = ties == TieRule::LowerIndex ? 0 : equal - places;
    chosen.reserve(count);
    std::size_t seenEqual = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        bool taken = keys[i] > threshold;
        if (keys[i] == threshold) {
            taken = seenEqual >= firstEqual && seenEqual < firstEqual + places;
            ++seenEqual;
        }
        if (taken)
            chosen.push_back(static_cast<std::uint32_t>(i));
    }
    return chosen;
}

} // namespace kernels::cpu
