#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// What HOMER's scores are freed from (structural.md 3.3): the mean raw logit of a text's last
/// token towards the token `distance` before it, per layer.
struct HomerBias
{
    std::string model; // modelIdentity()
    std::string rope;  // RopeConfig::canonical()
    std::uint32_t layers = 0;
    std::uint32_t length = 0;
    std::vector<float> values; // (layers, length)

    /// 0 without a table; distances beyond it count as its last one.
    float at(std::uint32_t layer, std::size_t distance) const;
};

std::string writeHomerBias(const HomerBias& bias);

/// Throws Damaged for bytes that are no table, Mismatch for one of another model or of other
/// positions.
HomerBias readHomerBias(std::string_view bytes, std::string_view model, std::string_view rope,
                        std::uint32_t layers);

/// What a table is kept under: 64 hex digits over what it depends on. Longest text and number of
/// pieces that it is measured on.
std::string homerBiasKey(std::string_view model, std::string_view rope, std::uint32_t length,
                         std::uint32_t pieces);

} // namespace engine
