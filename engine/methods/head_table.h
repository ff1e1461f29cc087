#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// What a table of head scores was measured on.
struct HeadTableOrigin
{
    std::string model; // modelIdentity()
    std::string rope;  // RopeConfig::canonical()
    std::uint32_t layers = 0;
    std::uint32_t kvHeads = 0;
};

/// A text of one line for each layer with a number for each KV head, behind lines that say what it
/// was measured on. scores: (layers, kvHeads).
std::string writeHeadTable(const HeadTableOrigin& origin, const std::vector<float>& scores);

/// The scores of a table that was measured on the same model with the same RoPE configuration.
/// Throws Damaged for a text that is no table, Mismatch naming what differs.
std::vector<float> readHeadTable(std::string_view text, const HeadTableOrigin& expected);

} // namespace engine
