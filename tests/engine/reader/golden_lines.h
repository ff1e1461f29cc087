#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tests {

/// What resources/models/training/golden.py wrote.
struct GoldenLines
{
    std::string text; // with control tokens
    std::vector<std::int32_t> ids;
    std::vector<std::pair<std::size_t, double>> logits; // (token, logit behind the last position)
};

/// Throws std::runtime_error if the file cannot be read.
GoldenLines readGoldenLines(const std::string& path);

} // namespace tests
