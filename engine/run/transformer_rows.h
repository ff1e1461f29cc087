#pragma once

#include "engine/run/transformer.h"

#include <vector>

namespace engine {

/// The state of one job on its way through the layers.
struct Transformer::Rows
{
    Job job;
    std::vector<float> hidden; // (rows, width)
    std::vector<std::uint32_t> orders;
    std::vector<std::int32_t> positions;
    std::vector<std::uint32_t> indices; // in the job, of the rows that are still there
    std::vector<Segment> segments;
    const RopeTable* rope = nullptr;             // of the store
    std::vector<std::vector<float>> keptQueries; // [layer]; empty where nobody asked for them
    std::vector<std::vector<float>> keptLse;     // the same: (rows, heads) of a segment

    std::size_t count() const { return orders.size(); }
    LayerStep step(std::uint32_t layer, std::uint32_t layers, const KvStore& store) const
    {
        return {layer, layers, &job, orders, positions, &store};
    }
};

} // namespace engine
