#pragma once

#include "engine/methods/method.h"

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

/// One ranking over all layers and heads with `places` per head on average. Equal: the earlier
/// token.
std::vector<HeadLists> selectGlobal(std::span<const LayerScores> scores, std::size_t places);

/// PyramidKV (Cai et al. 2024, arXiv 2406.02069), selection.md 3.3: places per head of each layer,
/// falling from about 2 * base - base / beta to base / beta; their sum is exactly layers * base.
/// `tokens` compete, of a document of `documentRows`; a document shorter than 2 * base gets the
/// same for every layer. base is at most `tokens`.
std::vector<std::uint32_t> pyramidPlaces(std::uint32_t base, std::uint32_t tokens,
                                         std::uint32_t documentRows, std::uint32_t layers,
                                         double beta);

/// Divides the places by the plan's allocator. `places` per head on average, over the
/// `protectedRows` document rows per head that stay anyway.
std::vector<HeadLists> allocate(const DocumentPlan& plan, std::span<const LayerScores> scores,
                                std::uint32_t places, std::uint32_t protectedRows);

/// Drops what was not chosen from a store that holds every row. Chosen tokens count from
/// eligible.begin; rows outside `eligible` stay. With the stage `compact` the kept keys are then
/// turned to the positions 0, 1, ... (selection.md 3.16) and the next position is the number of
/// kept entries.
void applySelection(KvStore& store, const DocumentPlan& plan, kernels::EntryRange eligible,
                    std::span<const HeadLists> chosen);

} // namespace engine
