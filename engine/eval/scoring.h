#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// Lower case, single blanks, no punctuation at the ends: what two answers are compared by.
std::string normalisedAnswer(std::string_view answer);

/// 1 when the answer is one of the accepted ones after normalising, else 0.
bool isExact(std::string_view answer, const std::vector<std::string>& accepted);

/// Harmonic mean of precision and recall of the words, the best over the accepted answers
/// (Rajpurkar et al. 2016, arXiv 1606.05250). Two empty answers agree: 1.
double tokenF1(std::string_view answer, const std::vector<std::string>& accepted);

struct Interval
{
    double low = 0;
    double high = 1;
};

/// 95 % confidence interval of a share (Wilson 1927); {0, 1} when nothing was tried.
Interval wilsonInterval(std::size_t successes, std::size_t trials);

} // namespace engine
