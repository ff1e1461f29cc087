#pragma once

#include "engine/kv/kv_store.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace engine {

/// Which rows of a job leave logits.
enum class LogitRows
{
    None,
    Last,
    All
};

/// Rows that run through a contiguous range of layers.
struct Job
{
    std::vector<std::int32_t> tokens;
    std::vector<std::int32_t> positions; // one per row: what RoPE sees
    Role role = Role::Document;
    /// One per row, or empty for 0 everywhere: 0 is the model's own embedding and projections, n
    /// those of Weights::extraSets[n - 1], whose tokens count from the size of the vocabulary.
    std::vector<std::uint8_t> weightSets;
    std::vector<Role> roles; // one per row, or empty for `role` everywhere
    std::uint32_t layerBegin = 0;
    std::uint32_t layerEnd =
        std::numeric_limits<std::uint32_t>::max(); // clipped to the model's layers
    std::vector<float> hidden; // (rows, width): the input of layerBegin when that is not 0
    bool keepsKv = true;       // false: the rows are truncated from the store when the job ends
    /// Without keepsKv: the rows leave each layer's lists as soon as the layer is done, because no
    /// layer reads the lists of another one. Spares the memory of all layers but one.
    bool leavesEachLayer = false;
    LogitRows logits = LogitRows::None;
    std::vector<std::uint32_t> logitRows; // what LogitRows::Last means, ascending, if not the last
                                          // row; several of them not with sparse patterns
    std::string phase;                    // what the user is told: "Reading", "Scoring"
    std::uint64_t documentTokens = 0;     // progress that the job makes within its phase
    bool wantsHidden = true; // of a job that ends below the last layer: false spares its last
                             // attention and leaves JobResult::hidden empty
};

struct JobResult
{
    std::vector<float> logits; // (rows whose logits were wanted, vocabulary)
    std::vector<float> hidden; // (surviving rows, width), when the job ended before the last layer
    std::vector<std::uint32_t> survivors; // indices of the job's rows that reached the end
};

} // namespace engine
