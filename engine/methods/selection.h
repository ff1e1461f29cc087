#pragma once

#include "engine/methods/method.h"
#include "kernels/select.h"

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// Scores of the tokens of one layer that compete for a place; larger stays. Both arrays are
/// (heads, tokens).
struct LayerScores
{
    std::uint32_t heads = 0;
    std::uint32_t tokens = 0;
    std::vector<float> score;
    std::vector<float> raw; // decides between equal scores; may be empty
    /// Who wins when these are equal too: the earlier token and then the lower head, or the later.
    kernels::cpu::TieRule ties = kernels::cpu::TieRule::LowerIndex;
    bool logarithmic = false; // natural logarithms of the scores
};

/// For each KV head of a layer the chosen tokens, ascending.
using HeadLists = std::vector<std::vector<std::uint32_t>>;

/// Every head keeps its own best `places`. Equal scores: raw descending, then the earlier token
/// (selection.md 1.4).
HeadLists selectUniform(const LayerScores& scores, std::size_t places);

/// AdaKV (Feng et al. 2024, arXiv 2407.11550), variant A of selection.md 3.12: the heads of a layer
/// share heads * places; each first gets its own best `guaranteed` (at most `places`). Equal: the
/// earlier token, then the lower head.
HeadLists selectAdaKv(const LayerScores& scores, std::size_t places, std::size_t guaranteed);

/// The original's way to share the places of a layer, variant B of selection.md 3.12: what each of
/// its heads may keep, by how many of the layer's best heads * places it has. The sum may differ
/// from heads * places by a few. `floor` is the part of an equal share that is certain. With
/// `normalised` a head counts by what its best places have of its sum.
std::vector<std::uint32_t> adaKvCounts(const LayerScores& scores, std::uint32_t places,
                                       double floor, bool normalised);

/// One ranking over all layers and heads with `places` in all.
std::vector<HeadLists> selectGlobal(std::span<const LayerScores> scores, std::size_t places);

/// PyramidKV (Cai et al. 2024, arXiv 2406.02069), selection.md 3.3: places per head of each layer,
/// falling from about 2 * base - base / beta to base / beta; their sum is exactly layers * base.
/// `tokens` compete, of a document of `documentRows`; a document shorter than 2 * base gets the
/// same for every layer. base is at most `tokens`.
std::vector<std::uint32_t> pyramidPlaces(std::uint32_t base, std::uint32_t tokens,
                                         std::uint32_t documentRows, std::uint32_t layers,
                                         double beta);

/// ChunkKV (Liu et al. 2025, arXiv 2502.00299), selection.md 3.17: every token gets the mean of its
/// chunk, summed over the heads, so that all heads of the layer choose the same. Inside a chunk the
/// token's own sum decides. chunkOf: for each token its chunk, ascending.
void spreadChunkMeans(LayerScores& scores, std::span<const std::uint32_t> chunkOf);

/// What allocators divide.
struct Places
{
    std::uint32_t perHead = 0;
    std::uint64_t inAll = 0;         // layers * heads * perHead but for rounding
    std::uint32_t protectedRows = 0; // document rows per head that stay beside them
};

/// Divides the places by the plan's allocator.
std::vector<HeadLists> allocate(const DocumentPlan& plan, std::span<const LayerScores> scores,
                                const Places& places);

/// `total` divided in proportion to the weights, by rounding the running sum: exact in all.
std::vector<std::uint64_t> proportionalShares(std::uint64_t total,
                                              std::span<const std::uint64_t> weights);

} // namespace engine
