#include "engine/methods/sparse_prefill.h"

#include "engine/kv/byte_stream.h"
#include "engine/methods/block_plan.h"
#include "engine/methods/sparse_pattern.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace engine {
namespace {

/// selection.md 3.9, 2b: columns and distances that are certain, and the least of both.
constexpr std::size_t kForcedColumns = 30;
constexpr std::size_t kForcedSlashes = 100;
constexpr std::size_t kLeastSlashes = 50;

/// Below this mean share of covered attention the user is told.
constexpr double kLowRecall = 0.8;

enum class Pattern
{
    Auto,
    AShape,
    VerticalSlash,
    BlockSparse
};

/// A pattern with its sizes: initial and local, vertical and slash, or a count of pages.
struct Shape
{
    Pattern pattern = Pattern::VerticalSlash;
    std::size_t first = 0;
    std::size_t second = 0;
};

/// selection.md 3.9, 3, in the order of the search; ties go to the earlier one. A block pattern of
/// 0 pages stands for an eighth of them.
constexpr std::array<Shape, 6> kCandidates{{{Pattern::AShape, 100, 800},
                                            {Pattern::VerticalSlash, 30, 800},
                                            {Pattern::VerticalSlash, 100, 750},
                                            {Pattern::VerticalSlash, 500, 700},
                                            {Pattern::VerticalSlash, 3500, 100},
                                            {Pattern::BlockSparse, 0, 0}}};
constexpr std::size_t kBlockParts = 8;

std::vector<Shape> shapesOf(const DocumentPlan& plan)
{
    const auto number = [&](const char* key) {
        return static_cast<std::size_t>(plan.setting(key));
    };
    switch (static_cast<Pattern>(number("pattern"))) {
    case Pattern::AShape:
        return {{Pattern::AShape, number("initial"), number("local")}};
    case Pattern::VerticalSlash:
        return {{Pattern::VerticalSlash, number("vertical"), number("slash")}};
    case Pattern::BlockSparse:
        return {{Pattern::BlockSparse, number("blocks"), 0}};
    default:
        return {kCandidates.begin(), kCandidates.end()};
    }
}

/// (rows of means, headDim): means over `rows` rows each; the last over what is left.
std::vector<float> meansOf(std::span<const float> values, std::size_t headDim, std::size_t rows)
{
    const std::size_t count = values.size() / headDim;
    std::vector<float> means((count + rows - 1) / rows * headDim);
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t c = 0; c < headDim; ++c)
            means[i / rows * headDim + c] += values[i * headDim + c];
    for (std::size_t mean = 0; mean * rows < count; ++mean)
        for (std::size_t c = 0; c < headDim; ++c)
            means[mean * headDim + c] /= static_cast<float>(std::min(rows, count - mean * rows));
    return means;
}

/// What estimates found out, for the user.
struct Findings
{
    std::uint64_t estimates = 0; // of a head in a piece
    std::uint64_t broken = 0;    // of them with weights that are no numbers
    double recall = 0;           // sum over the estimates
};

class SparsePrefill final : public Method
{
public:
    SparsePrefill(std::unique_ptr<Method> inner, const DocumentPlan& plan)
        : m_inner(std::move(inner))
        , m_shapes(shapesOf(plan))
        , m_lastRows(static_cast<std::size_t>(plan.setting("last")))
        , m_usesBlocks(std::ranges::find(m_shapes, Pattern::BlockSparse, &Shape::pattern) !=
                       m_shapes.end())
    {}

    std::optional<Job> nextJob(const KvStore& store) override { return m_inner->nextJob(store); }
    void onJobResult(const Job& job, const JobResult& result) override
    {
        m_inner->onJobResult(job, result);
    }
    void onJobEnd(const Job& job, KvStore& store) override { m_inner->onJobEnd(job, store); }
    std::vector<std::byte> artefactState() const override { return m_inner->artefactState(); }
    double totalCost() const override { return m_inner->totalCost(); }
    double doneCost() const override { return m_inner->doneCost(); }
    std::size_t scoreBytes() const override { return m_inner->scoreBytes(); }
    void onRows(Job& job) override { m_inner->onRows(job); }
    void onProjections(const LayerStep& step, std::span<const float> normed,
                       std::span<const float> query, std::span<const float> key,
                       std::span<const float> value) override
    {
        m_inner->onProjections(step, normed, query, key, value);
    }
    bool keepsQuery(const LayerStep& step) const override { return m_inner->keepsQuery(step); }
    bool needsLse(const LayerStep& step) const override { return m_inner->needsLse(step); }
    const kernels::ScoreSpec* passWithAttention(const LayerStep& step) override
    {
        return m_inner->passWithAttention(step);
    }
    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        m_inner->onAttention(step, scorer);
    }
    std::optional<std::vector<std::uint32_t>> onResidual(const LayerStep& step,
                                                         std::span<const float> hidden) override
    {
        return m_inner->onResidual(step, hidden);
    }
    bool stopAfter(const LayerStep& step) override { return m_inner->stopAfter(step); }

    std::vector<std::byte> jobState() const override;
    void restoreJobState(const Job& job, std::span<const std::byte> state) override;
    std::vector<std::string> warnings() const override;
    void onQueries(const LayerStep& step, std::span<const float> query) override;
    void onKeys(const LayerStep& step, Scorer& scorer) override;
    void segments(const LayerStep& step, std::vector<Segment>& segments) override;

private:
    kernels::SparsePattern choose(std::uint32_t head, const PieceRows& piece, Scorer& scorer);
    kernels::SparsePattern blocks(std::uint32_t head, std::size_t count,
                                  const PieceRows& piece) const;
    void averageKeys(const LayerStep& step);

    std::unique_ptr<Method> m_inner;
    std::vector<Shape> m_shapes;
    std::size_t m_lastRows;
    bool m_usesBlocks;
    // Of the layer under way.
    std::vector<float> m_queries;               // (rows, heads, headDim)
    std::vector<std::vector<float>> m_keyMeans; // [kvHead] (pages, headDim)
    std::size_t m_headDim = 0;
    std::vector<kernels::SparsePattern> m_patterns; // [head]
    Findings m_found;
};

/// Nobody reads what the last layer's rows attend to when no logits are wanted.
bool isRead(const LayerStep& step)
{
    const bool last = step.layer + 1 == step.layers && step.job->logits == LogitRows::None;
    return step.job->keepsKv && step.job->role == Role::Document && !last;
}

void SparsePrefill::onQueries(const LayerStep& step, std::span<const float> query)
{
    m_inner->onQueries(step, query);
    m_headDim = step.store->shape().headDim;
    m_queries.assign(query.begin(), query.end());
}

void SparsePrefill::onKeys(const LayerStep& step, Scorer& scorer)
{
    m_inner->onKeys(step, scorer);
    m_patterns.clear();
    if (!isRead(step))
        return;
    if (m_usesBlocks)
        averageKeys(step);
    const std::size_t rows = step.rows.size();
    const auto heads = static_cast<std::uint32_t>(m_queries.size() / (rows * m_headDim));
    const std::uint32_t group = heads / step.store->shape().kvHeads;
    for (std::uint32_t head = 0; head < heads; ++head) {
        const std::size_t entries = step.store->list(step.layer, head / group).length();
        m_patterns.push_back(choose(head, {entries - rows, rows}, scorer));
    }
}

/// The pattern with the best recall on the last rows of the piece.
kernels::SparsePattern SparsePrefill::choose(std::uint32_t head, const PieceRows& piece,
                                             Scorer& scorer)
{
    const Shape& only = m_shapes.front();
    if (m_shapes.size() == 1 && only.pattern == Pattern::AShape)
        return shapePattern(only.first, only.second, piece);
    const std::size_t firstRow = piece.rows - std::min(m_lastRows, piece.rows);
    const std::vector<float> weights = scorer.weights(head, firstRow);
    const LastRows last{weights, piece.rows - firstRow, piece.entries()};
    const PatternSums sums = patternSums(last);

    std::optional<double> best;
    const Shape* winner = nullptr;
    VerticalSlash lines;
    kernels::SparsePattern pages;
    for (const Shape& shape : m_shapes) {
        double recall = 0;
        VerticalSlash tried;
        kernels::SparsePattern triedPages;
        if (shape.pattern == Pattern::AShape) {
            recall = recallOfShape(last, shape.first, shape.second);
        } else if (shape.pattern == Pattern::VerticalSlash) {
            tried = chooseVerticalSlash(sums, std::max(shape.first, kForcedColumns),
                                        std::max(shape.second, kLeastSlashes), kForcedColumns,
                                        kForcedSlashes);
            recall = recallOf(last, tried);
        } else {
            triedPages = blocks(head, shape.first, piece);
            recall = recallOfPages(last, firstRow, triedPages.pages);
        }
        if (!best || recall > *best) {
            best = recall;
            winner = &shape;
            lines = std::move(tried);
            pages = std::move(triedPages);
        }
    }
    ++m_found.estimates;
    m_found.recall += *best;
    m_found.broken +=
        std::ranges::any_of(sums.columns, [](float sum) { return std::isnan(sum); }) ? 1 : 0;
    if (winner->pattern == Pattern::AShape)
        return shapePattern(winner->first, winner->second, piece);
    return winner->pattern == Pattern::VerticalSlash ? tilePattern(lines, piece) : pages;
}

void SparsePrefill::averageKeys(const LayerStep& step)
{
    m_keyMeans.clear();
    std::vector<float> keys;
    for (std::uint32_t head = 0; head < step.store->shape().kvHeads; ++head) {
        const KvList& list = step.store->list(step.layer, head);
        keys.resize(std::size_t{list.length()} * m_headDim);
        list.readKeys(keys, 0, m_headDim);
        m_keyMeans.push_back(meansOf(keys, m_headDim, kernels::kPageRows));
    }
}

kernels::SparsePattern SparsePrefill::blocks(std::uint32_t head, std::size_t count,
                                             const PieceRows& piece) const
{
    const std::size_t heads = m_queries.size() / (piece.rows * m_headDim);
    std::vector<float> own;
    for (std::size_t row = 0; row < piece.rows; ++row) {
        const auto query =
            m_queries.begin() + static_cast<std::ptrdiff_t>((row * heads + head) * m_headDim);
        own.insert(own.end(), query, query + static_cast<std::ptrdiff_t>(m_headDim));
    }
    const std::vector<float>& keyMeans = m_keyMeans[head / (heads / m_keyMeans.size())];
    if (count == 0)
        count = (keyMeans.size() / m_headDim + kBlockParts - 1) / kBlockParts;
    return blockPattern(meansOf(own, m_headDim, kernels::kPatternRows), keyMeans, m_headDim, count,
                        piece);
}

void SparsePrefill::segments(const LayerStep& step, std::vector<Segment>& segments)
{
    m_inner->segments(step, segments);
    if (!segments.empty() || m_patterns.empty())
        return;
    Segment segment;
    const std::uint32_t kvHeads = step.store->shape().kvHeads;
    const auto rows = static_cast<std::uint32_t>(step.rows.size());
    for (std::uint32_t row = 0; row < rows; ++row)
        for (std::uint32_t head = 0; head < kvHeads; ++head)
            segment.visible.push_back(
                {0, step.store->list(step.layer, head).length() - rows + row + 1});
    segment.patterns = std::move(m_patterns);
    m_patterns.clear();
    segments.push_back(std::move(segment));
}

std::vector<std::byte> SparsePrefill::jobState() const
{
    ByteWriter writer;
    writer.put(m_found);
    writer.putArray(std::span<const std::byte>(m_inner->jobState()));
    return writer.take();
}

void SparsePrefill::restoreJobState(const Job& job, std::span<const std::byte> state)
{
    ByteReader reader(state, "The saved progress of minference");
    m_found = reader.get<Findings>("findings");
    const auto inner = reader.getArray<std::byte>("state of the method");
    reader.expectEnd();
    m_inner->restoreJobState(job, inner);
}

std::vector<std::string> SparsePrefill::warnings() const
{
    std::vector<std::string> sentences = m_inner->warnings();
    if (m_found.broken > 0)
        sentences.push_back("The model gave minference values that are not numbers (NaN) in " +
                            std::to_string(m_found.broken) + " of " +
                            std::to_string(m_found.estimates) +
                            " estimates of what a head reads; they counted as the lowest. The "
                            "model's file may be damaged.");
    const double recall =
        m_found.estimates > 0 ? m_found.recall / static_cast<double>(m_found.estimates) : 1.0;
    if (recall < kLowRecall)
        sentences.push_back("The patterns of minference cover only " +
                            std::to_string(std::lround(100 * recall)) +
                            " % of the attention that they were estimated from, so the document "
                            "may have been read poorly. Choose larger patterns (--set "
                            "pattern=vertical-slash --set vertical=4000), or read without "
                            "minference.");
    return sentences;
}

} // namespace

std::vector<MethodParameter> sparsePrefillParameters()
{
    return {
        {"pattern",
         "what a head reads; auto: what covers most of the attention of the last tokens of a piece",
         0,
         3,
         0,
         {"auto", "a-shape", "vertical-slash", "block-sparse"}},
        {"pattern-rows",
         "piece of the document that shares one estimate, fewer where 64 MiB of keys and values "
         "hold fewer (tokens)",
         64, 4096, 2048},
        {"last", "last tokens of a piece that the estimate is made from (tokens)", 1, 512, 64},
        {"initial", "a-shape: first tokens that are read (tokens)", 1, 1048576, 100},
        {"local", "a-shape: last tokens that are read (tokens)", 1, 1048576, 800},
        {"vertical", "vertical-slash: tokens that all read (tokens)", 30, 1048576, 1000},
        {"slash", "vertical-slash: distances that all read (tokens)", 50, 1048576, 6096},
        {"blocks", "block-sparse: blocks of 64 tokens that each 64 tokens read", 1, 16384, 100}};
}

std::unique_ptr<Method>
readSparsely(const std::function<std::unique_ptr<Method>(const DocumentPlan& plan)>& make,
             DocumentPlan plan)
{
    plan.blockRows =
        boundedBlockRows(plan, static_cast<std::uint32_t>(plan.setting("pattern-rows")));
    return std::make_unique<SparsePrefill>(make(plan), plan);
}

} // namespace engine
