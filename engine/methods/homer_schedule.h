#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace engine {

/// What HOMER's tree is planned from (structural.md 3.2). Lengths in tokens.
struct HomerPlan
{
    std::uint32_t prefix = 0; // before every chunk
    std::uint32_t suffix = 0; // behind every chunk
    std::uint32_t document = 0;
    std::uint32_t layers = 0;
    std::uint32_t largestChunk = 0;      // Cmax, prefix and suffix included
    std::optional<std::uint32_t> warmUp; // W; absent: three eighths of the layers, or what fits
    std::uint32_t target = 0;            // document tokens that the root keeps
};

/// A chunk or a pair of merged ones on its way through some layers.
struct HomerNode
{
    std::uint32_t height = 0; // 0: a chunk
    std::uint32_t begin = 0;  // document tokens that it stands for
    std::uint32_t end = 0;
    std::uint32_t rows = 0; // that enter it, prefix and suffix included
    std::uint32_t kept = 0; // that leave it
    bool isRight = false;   // the second child: it is merged with the node that waits on top
    bool isMerged = false;  // it has two children
};

/// The nodes in depth-first order: children before their parent, left before right, so that at
/// most one finished left sibling of each height waits.
struct HomerSchedule
{
    std::uint32_t height = 0; // A
    std::uint32_t chunk = 0;  // e: document tokens of a chunk
    std::uint32_t warmUp = 0; // W
    std::uint32_t step = 0;   // u: layers of an inner node
    std::uint32_t layers = 0;
    std::vector<HomerNode> nodes;

    std::uint32_t layerEnd(std::uint32_t height) const;
    std::uint32_t layerBegin(std::uint32_t height) const;
    /// Whether a node waits for its brother when it is done, in place of going on at once.
    bool waits(std::size_t node) const;
    /// Most rows times layers that are held at once: those of the node at work and of the siblings
    /// that wait (structural.md 3.5).
    std::uint64_t peakRowLayers() const;
};

/// Fewest document tokens that a chunk must have room for; reference code has no check and fails.
constexpr std::uint32_t kLeastChunkRoom = 256;

/// Throws BadInput when prefix and suffix leave no room in a chunk, TooLarge when the tree is
/// higher than the layers allow.
HomerSchedule planHomer(const HomerPlan& plan);

} // namespace engine
