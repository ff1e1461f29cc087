#pragma once

#include "engine/methods/homer_bias.h"

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// How the logits of a node's last row become an order of its rows. The paper ranks by the logits
/// of the node's own last layer, row by row; `carries` and `pool` are ours, for models that find a
/// place by its first token and in one layer only.
struct HomerSignificance
{
    bool carries = false;   // adds what the node's rows had in the nodes below
    std::uint32_t pool = 0; // tokens on either side that are as significant as their best neighbour

    /// Raw logits (rows) without the model's bias for their distances, and with the ones of nodes
    /// below, `earlier` (rows, or empty). Rows that are no numbers become the smallest.
    std::vector<float> calibrated(std::vector<float> logits, const HomerBias& bias,
                                  std::uint32_t layer, std::span<const std::int32_t> positions,
                                  std::span<const float> earlier) const;

    /// The largest significance of the rows whose token stands at most `pool` tokens away. ids
    /// ascend.
    std::vector<float> pooled(std::vector<float> significance,
                              std::span<const std::uint32_t> ids) const;
};

} // namespace engine
