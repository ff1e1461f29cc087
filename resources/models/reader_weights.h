#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "resources/models/token_codes.h"

namespace resources {

/// One matrix (or vector) of the model in float32.
struct ReaderTensor
{
    std::string name;
    std::size_t columns = 0;  // the contiguous dimension: inputs
    std::size_t rows = 1;     // outputs
    bool keepFloat32 = false; // norms and RoPE divisors; the others are stored as float16
    std::vector<float> values;
};

/// How many layers, and whether quoted passages are marked.
struct ReaderVariant
{
    /// Between the two layers of the design; they change nothing in the residual stream.
    std::size_t middleLayers = 0;
    /// In all layers but the first, heads without a task look for the passage behind the query's
    /// last three tokens: head d gives the token that stands d behind the first one kMarkLogit.
    /// For methods that select by the attention of the last token. Nothing is read from them.
    bool marksQuotations = false;
};

/// Every tensor of the model. `begin` and `lineFeed` are token ids: the code of the first is what
/// stands before a text, the code of the second is what the model says when it finds nothing.
std::vector<ReaderTensor> readerTensors(std::int32_t begin, std::int32_t lineFeed,
                                        const ReaderVariant& variant = {});

} // namespace resources
