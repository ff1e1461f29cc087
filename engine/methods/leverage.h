#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// (headDim, columns) independent normal numbers with the variance 1 / columns, from a seed: a
/// Gaussian sketch. The same on every run.
std::vector<double> gaussianSketch(std::uint32_t headDim, std::uint32_t columns,
                                   std::uint64_t seed);

/// Approximate statistical leverage of each key (n, headDim): y_t' (Y'Y + jitter)^-1 y_t for the
/// centred and sketched keys Y (Chari and Van Durme 2025, arXiv 2507.08143; structural.md 6.6). An
/// empty sketch leaves the keys as they are, which is exact. Keys that are not numbers give NaN for
/// all.
std::vector<float> leverageScores(std::span<const float> keys, std::size_t headDim,
                                  std::span<const double> sketch);

/// Shifts and scales to the mean 0 and the (n - 1) standard deviation 1; all equal becomes all 0.
void zNormalise(std::span<float> values);

} // namespace engine
