// What the rows of a job attend to: segments of lists, merged by their LSE, and the score passes
// over them.

#include "engine/run/transformer_rows.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace engine {
namespace {

/// Of each list the given pages.
void chooseViews(std::span<const std::vector<std::uint32_t>> pages,
                 std::span<const kernels::KvListView> all, KvStore::LayerViews& chosen)
{
    chosen.pages.resize(pages.size());
    chosen.lists.resize(pages.size());
    for (std::size_t head = 0; head < pages.size(); ++head) {
        chosen.pages[head].clear();
        std::uint32_t length = 0;
        for (const std::uint32_t page : pages[head]) {
            chosen.pages[head].push_back(all[head].pages[page]);
            length += chosen.pages[head].back().rows;
        }
        chosen.lists[head] = {chosen.pages[head], length};
    }
}

/// Everything up to and including the row itself. Lists end with the rows of the job.
Segment causalSegment(std::size_t rows, std::span<const kernels::KvListView> lists)
{
    Segment segment;
    segment.visible.reserve(rows * lists.size());
    for (std::size_t r = 0; r < rows; ++r) {
        for (const kernels::KvListView& list : lists)
            segment.visible.push_back({0, static_cast<std::uint32_t>(list.length - rows + r + 1)});
    }
    return segment;
}

/// Whether a segment is this layer's own lists and queries.
bool isPlain(const Segment& segment)
{
    return segment.queryShift.empty() && segment.keyLayers.empty() && segment.valueLayers.empty() &&
           segment.pages.empty() && segment.patterns.empty() && !segment.carriedQuery;
}

} // namespace

class Transformer::LayerScorer final : public Scorer
{
public:
    LayerScorer(Transformer& transformer, const Rows& rows, const LayerStep& step,
                const kernels::ScoreSpec* named, std::span<const float> lse)
        : m_transformer(transformer)
        , m_rows(rows)
        , m_step(step)
        , m_named(named)
        , m_lse(lse)
        , m_shape(transformer.attentionShape(rows))
    {}

    std::vector<float> run(const kernels::ScoreSpec& spec,
                           std::span<const kernels::EntryRange> visible) override
    {
        return pass(denseSpec(spec, m_rows.segments.front()), m_transformer.m_query,
                    m_transformer.m_lists,
                    visible.empty() ? std::span(m_rows.segments.front().visible) : visible);
    }

    std::vector<float> weights(std::uint32_t head, std::size_t firstRow) override
    {
        const auto& lists = m_transformer.m_lists;
        const std::size_t length = lists[head / (m_shape.heads / m_shape.kvHeads)].length;
        std::vector<float> result((m_shape.rows - firstRow) * kernels::weightStride(length));
        m_transformer.m_backend.attentionWeights(result, m_transformer.m_query, lists,
                                                 m_rows.segments.front().visible, head, firstRow,
                                                 m_shape);
        return result;
    }

    std::vector<float> runNamed() override
    {
        assert(m_named != nullptr);
        return m_transformer.m_scores.empty() ? run(*m_named, {}) : m_transformer.m_scores;
    }

    std::span<const Segment> segments() const override { return m_rows.segments; }

    std::vector<float> runOn(std::size_t segment, const kernels::ScoreSpec& spec) override
    {
        const Segment& each = m_rows.segments[segment];
        return pass(denseSpec(spec, each), m_transformer.queryOf(each, m_rows, m_step.layer),
                    m_transformer.listsOf(each, m_step.layer, *m_step.store), each.visible);
    }

private:
    /// The LSE of a sparse attention is not that of all that the rows see; it is computed anew
    /// (selection.md 5).
    static kernels::ScoreSpec denseSpec(kernels::ScoreSpec spec, const Segment& segment)
    {
        static constexpr kernels::EntryRange kAll{0, std::numeric_limits<std::uint32_t>::max()};
        if (!segment.patterns.empty() && spec.normaliser == kernels::Normaliser::Full) {
            spec.normaliser = kernels::Normaliser::Subset;
            spec.subset = {&kAll, 1};
        }
        return spec;
    }

    std::vector<float> pass(const kernels::ScoreSpec& spec, std::span<const float> query,
                            std::span<const kernels::KvListView> lists,
                            std::span<const kernels::EntryRange> visible)
    {
        std::vector<float> scores(lists.size() * (spec.scored.end - spec.scored.begin));
        m_transformer.m_backend.scorePass(scores, query, lists, visible, m_lse, spec, m_shape);
        return scores;
    }

    Transformer& m_transformer;
    const Rows& m_rows;
    const LayerStep& m_step;
    const kernels::ScoreSpec* m_named;
    std::span<const float> m_lse;
    kernels::AttentionShape m_shape;
};

kernels::AttentionShape Transformer::attentionShape(const Rows& rows) const
{
    return {rows.count(), m_config.heads, m_config.kvHeads, m_config.headDim,
            1.0F / std::sqrt(static_cast<float>(m_config.headDim))};
}

/// The queries of a segment: this layer's, turned if it says so, or those of the layers below that
/// its keys are from.
std::span<const float> Transformer::queryOf(const Segment& segment, const Rows& rows,
                                            std::uint32_t layer)
{
    if (segment.carriedQuery) {
        const std::size_t groupFloats =
            std::size_t{m_config.heads / m_config.kvHeads} * m_config.headDim;
        m_partQuery.resize(m_query.size());
        for (std::size_t group = 0; group < rows.count() * m_config.kvHeads; ++group) {
            const std::uint32_t from = segment.keyLayers[group % m_config.kvHeads];
            const std::vector<float>& query = from == layer ? m_query : rows.keptQueries[from];
            std::copy_n(&query[group * groupFloats], groupFloats,
                        &m_partQuery[group * groupFloats]);
        }
        return m_partQuery;
    }
    if (segment.queryShift.empty())
        return m_query;
    m_partQuery = m_query;
    // A pure rotation: the magnitude is in the query already (structural.md 1.3).
    m_backend.rope(m_partQuery, segment.queryShift, rows.rope->frequencies, m_config.heads,
                   m_config.headDim, m_config.pairing, 1.0F);
    return m_partQuery;
}

std::span<const kernels::KvListView> Transformer::listsOf(const Segment& segment,
                                                          std::uint32_t layer, const KvStore& store)
{
    if (!segment.pages.empty()) {
        chooseViews(segment.pages, m_lists, m_mixedViews);
        return m_mixedViews.lists;
    }
    if (segment.keyLayers.empty() && segment.valueLayers.empty())
        return m_lists;
    const std::vector<std::uint32_t> own(m_config.kvHeads, layer);
    store.views(segment.keyLayers.empty() ? own : segment.keyLayers,
                segment.valueLayers.empty() ? own : segment.valueLayers, m_mixedViews);
    return m_mixedViews.lists;
}

/// Hides the segment from rows and KV heads whose query heads all have enough nearby.
void Transformer::leaveOut(Segment& segment, const Rows& rows, std::uint32_t layer) const
{
    const std::size_t members = m_config.heads / m_config.kvHeads;
    for (std::size_t group = 0; group < segment.visible.size(); ++group) {
        const std::uint32_t from = segment.keyLayers[group % m_config.kvHeads];
        if (from == layer)
            continue;
        bool hasEnough = true;
        for (std::size_t i = group * members; i < (group + 1) * members; ++i) {
            const float near = 1.0F / (1.0F + std::exp(rows.keptLse[from][i] - m_lse[i]));
            hasEnough = hasEnough && near >= *segment.nearShare;
        }
        if (hasEnough)
            segment.visible[group].end = segment.visible[group].begin;
    }
}

void Transformer::attend(Rows& rows, std::uint32_t layer, const KvStore& store,
                         const kernels::ScoreSpec* pass)
{
    m_attended.resize(m_query.size());
    m_lse.resize(rows.count() * m_config.heads);
    bool first = true;
    for (Segment& segment : rows.segments) {
        if (segment.nearShare)
            leaveOut(segment, rows, layer);
        std::vector<float>& out = first ? m_attended : m_partOut;
        std::vector<float>& lse = first ? m_lse : m_partLse;
        out.resize(m_attended.size());
        lse.resize(m_lse.size());
        if (first && pass != nullptr && isPlain(segment)) {
            m_scores.resize(m_lists.size() * (pass->scored.end - pass->scored.begin));
            m_backend.attentionWithScores(out, lse, m_scores, m_query, m_lists, segment.visible,
                                          *pass, attentionShape(rows));
        } else {
            attendTo(segment, out, lse, rows, layer, store);
        }
        if (segment.keepsLse) {
            rows.keptLse.resize(m_config.layers);
            rows.keptLse[layer] = lse;
        }
        if (!first)
            m_backend.mergeAttention(m_attended, m_lse, m_partOut, m_partLse, m_config.headDim);
        first = false;
    }
}

void Transformer::attendTo(const Segment& segment, std::span<float> out, std::span<float> lse,
                           const Rows& rows, std::uint32_t layer, const KvStore& store)
{
    const kernels::AttentionShape shape = attentionShape(rows);
    const std::span<const float> query = queryOf(segment, rows, layer);
    const auto lists = listsOf(segment, layer, store);
    if (segment.patterns.empty())
        m_backend.attention(out, lse, query, lists, segment.visible, shape);
    else
        m_backend.sparseAttention(out, lse, query, lists, segment.visible, segment.patterns, shape);
}

/// Lets the hooks look at everything up to each row, then asks them what the rows attend to.
void Transformer::chooseSegments(Rows& rows, const LayerStep& step, Hooks& hooks)
{
    rows.segments.assign(1, causalSegment(rows.count(), m_lists));
    LayerScorer scorer(*this, rows, step, nullptr, {});
    hooks.onKeys(step, scorer);
    std::vector<Segment> chosen;
    hooks.segments(step, chosen);
    if (!chosen.empty())
        rows.segments = std::move(chosen);
}

void Transformer::score(const Rows& rows, const LayerStep& step, const kernels::ScoreSpec* pass,
                        bool attended, Hooks& hooks)
{
    LayerScorer scorer(*this, rows, step, pass,
                       attended ? std::span<const float>(m_lse) : std::span<float>());
    hooks.onAttention(step, scorer);
}

} // namespace engine
