#pragma once

#include "engine/run/job.h"
#include "kernels/attention.h"
#include "kernels/sparse_attention.h"

#include <optional>
#include <span>
#include <vector>

namespace engine {

/// Where the loop is: one layer of one job.
struct LayerStep
{
    std::uint32_t layer = 0;
    std::uint32_t layers = 0; // of the model
    const Job* job = nullptr;
    std::span<const std::uint32_t> rows;     // store rows (orders) that are being processed
    std::span<const std::int32_t> positions; // of those rows
    const KvStore* store = nullptr;
};

/// A part of what each row attends to; several parts are merged by their LSE.
struct Segment
{
    std::vector<kernels::EntryRange> visible; // (rows, kvHeads)
    /// Added to the position of each row's query for this segment only; empty means no change.
    std::vector<std::int32_t> queryShift;
    /// For each KV head the layer whose list gives the keys, and the one whose list gives the
    /// values: the layer itself or a lower one. Empty means the layer itself. Where both are given,
    /// the two lists have the same length and page types.
    std::vector<std::uint32_t> keyLayers;
    std::vector<std::uint32_t> valueLayers;
    /// The queries are those of keyLayers, too; Hooks::keepsQuery() was true for these layers.
    bool carriedQuery = false;
    /// The LSE of this segment is kept for the segments of higher layers that have nearShare.
    bool keepsLse = false;
    /// The segment is left out for a row and KV head where the segments before it hold at least
    /// this share of the attention: e^near / (e^near + e^kept) for every query head of the group,
    /// with the LSE that was kept in the layer that keyLayers names. Heads with this layer's own
    /// keys are never left out.
    std::optional<float> nearShare;
    /// For each KV head the pages of its list that this segment consists of, ascending; `visible`
    /// counts entries of these pages only. Empty means all pages. Not together with other layers'
    /// keys or values.
    std::vector<std::vector<std::uint32_t>> pages;
    /// For each query head the part of `visible` that its rows read; the LSE is that of this part.
    /// Empty means all of it. Not together with `pages` or other segments.
    std::vector<kernels::SparsePattern> patterns;
};

/// Runs score passes over the layer just attended to: after its keys were appended, before anything
/// is dropped.
class Scorer
{
public:
    virtual ~Scorer() = default;
    /// (kvHeads, spec.scored) floats; see kernels::cpu::scorePass. Normaliser::Full needs
    /// needsLse().
    std::vector<float> run(const kernels::ScoreSpec& spec) { return run(spec, {}); }
    /// The same with other limits of what each row sees than it attended to, for instance its whole
    /// block, later rows included: (rows, kvHeads) ranges. With Normaliser::Subset.
    virtual std::vector<float> run(const kernels::ScoreSpec& spec,
                                   std::span<const kernels::EntryRange> visible) = 0;

    /// The pass that Hooks::passWithAttention() named for this layer.
    virtual std::vector<float> runNamed() { return {}; }

    /// What the rows attended to in this layer. The passes above are over the first segment with
    /// this layer's lists and queries.
    virtual std::span<const Segment> segments() const { return {}; }
    /// A pass over one of the segments with its own lists and queries. With Normaliser::Full the
    /// weights are those among the entries of all segments.
    virtual std::vector<float> runOn(std::size_t /*segment*/, const kernels::ScoreSpec& spec)
    {
        return run(spec);
    }
    /// Attention weights of the rows from `firstRow` on for one query head, among everything up to
    /// each row or what the first segment shows it: (rows - firstRow, kernels::weightStride(entries
    /// of its list)); see kernels::cpu::attentionWeights. For few rows.
    virtual std::vector<float> weights(std::uint32_t /*head*/, std::size_t /*firstRow*/)
    {
        return {};
    }
};

/// What a method can do inside the layer loop (hooks h1 to h6). The loop knows no method: a method
/// that needs a branch there needs a better hook instead. The defaults are plain causal attention.
class Hooks
{
public:
    virtual ~Hooks() = default;

    /// h1: may change the rows of a job before it starts.
    virtual void onRows(Job& /*job*/) {}

    /// h2: read only. normed (rows, width) is the input of the projections; query, key before RoPE,
    /// and value.
    virtual void onProjections(const LayerStep& /*step*/, std::span<const float> /*normed*/,
                               std::span<const float> /*query*/, std::span<const float> /*key*/,
                               std::span<const float> /*value*/)
    {}

    /// The queries (rows, heads, headDim) after RoPE, before h3.
    virtual void onQueries(const LayerStep& /*step*/, std::span<const float> /*query*/) {}

    /// Before h3, when this layer's keys are appended: may run score passes over everything up to
    /// each row, by which segments() then chooses.
    virtual void onKeys(const LayerStep& /*step*/, Scorer& /*scorer*/) {}

    /// h3: what the rows attend to in this layer. Left empty: everything up to themselves.
    virtual void segments(const LayerStep& /*step*/, std::vector<Segment>& /*segments*/) {}

    /// True when a higher layer has a segment with the queries of this one (carriedQuery).
    virtual bool keepsQuery(const LayerStep& /*step*/) const { return false; }

    /// True when onAttention of this layer reads the LSE, so the attention cannot be left out.
    virtual bool needsLse(const LayerStep& /*step*/) const { return false; }

    /// A pass over the first segment that onAttention is going to ask for with Scorer::runNamed().
    /// The attention leaves its scores behind as it goes where it can, which is cheaper than
    /// another product of queries and keys and gives the same bits. Null: none. It and what it
    /// points to live until onAttention. Not with Normaliser::Full.
    virtual const kernels::ScoreSpec* passWithAttention(const LayerStep& /*step*/)
    {
        return nullptr;
    }

    /// h4: after this layer's keys are appended; may run score passes.
    virtual void onAttention(const LayerStep& /*step*/, Scorer& /*scorer*/) {}

    /// h5: after the attention's residual; ascending indices of the rows that go on, or nothing for
    /// all. `hidden` is (rows, width). Dropped rows stay in the lists of the layers already done.
    /// The last layer has one row here when the job wants the logits of one row only.
    virtual std::optional<std::vector<std::uint32_t>> onResidual(const LayerStep& /*step*/,
                                                                 std::span<const float> /*hidden*/)
    {
        return std::nullopt;
    }

    /// h6: true ends the job after this layer.
    virtual bool stopAfter(const LayerStep& /*step*/) { return false; }
};

} // namespace engine
