// Compactor (Chari and Van Durme 2025, arXiv 2507.08143): a token's score is how far its key before
// RoPE stands out among all keys (statistical leverage, approximated with a Gaussian sketch), plus
// how much attention it draws inside its own block when every row sees the whole block, times the
// length of its value. Both parts are normalised over the layer; structural.md 6.6. Deviations from
// the published program: logits have the usual scale, and the last, shorter block has a true mask.
//
// NaN in a part makes the whole layer's normalised part NaN; then nothing can be chosen.

#include "engine/kv/byte_stream.h"
#include "engine/methods/leverage.h"
#include "engine/methods/score_math.h"
#include "engine/methods/scorer_method.h"
#include "kernels/pool.h"

#include <algorithm>

namespace engine {
namespace {

using kernels::EntryRange;

constexpr std::uint32_t kRowsAtOnce = 512; // blocks that are read together, in rows
constexpr std::uint32_t kPooled = 3;       // neighbours

std::uint32_t rowSetting(const DocumentPlan& plan, const char* key)
{
    return static_cast<std::uint32_t>(plan.setting(key));
}

/// A block's rows are read together, so jobs end where blocks end; where they do must not depend on
/// the size asked for, since sums in floating point depend on how they are grouped.
std::vector<EntryRange> jobsOf(const DocumentPlan& plan)
{
    const std::uint32_t block = rowSetting(plan, "block");
    const std::uint32_t step = std::max(1U, kRowsAtOnce / block) * block;
    const std::uint32_t total = plan.totalRows();
    const std::uint32_t first = std::max(plan.prefixRows(), rowSetting(plan, "sinks"));
    const std::uint32_t last = total - std::min(total, rowSetting(plan, "window"));
    std::vector<EntryRange> jobs;
    std::uint32_t begin = 0;
    for (std::uint32_t end = first + step; end < last; end += step) {
        jobs.push_back({begin, end});
        begin = end;
    }
    jobs.push_back({begin, total});
    return jobs;
}

class CompactorMethod final : public ScorerMethod
{
public:
    explicit CompactorMethod(const DocumentPlan& plan)
        : ScorerMethod(plan, "compactor",
                       {.sinks = rowSetting(plan, "sinks"), .window = rowSetting(plan, "window")},
                       jobsOf(plan))
        , m_block(rowSetting(plan, "block"))
        , m_sums(plan.layers)
    {}

    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        if (!selects())
            return;
        kernels::ScoreSpec spec;
        spec.scored = scoredNow(step.rows.front());
        if (spec.scored.begin >= spec.scored.end)
            return;
        spec.subset = {&spec.scored, 1};
        spec.normaliser = kernels::Normaliser::Subset;
        spec.rows = kernels::RowReduction::Sum;
        spec.heads = kernels::HeadReduction::Mean;
        keepSums(step.layer, spec.scored, scorer.run(spec, blocksSeen(step, spec.scored)));
    }

    std::vector<std::byte> jobState() const override
    {
        if (!selects())
            return {};
        ByteWriter writer;
        writer.put(m_lastScored);
        for (const auto& layer : m_sums) {
            for (std::uint32_t head = 0; head < plan().kvHeads && !layer.empty(); ++head)
                writer.putArray(std::span<const float>(layer).subspan(
                    placeOf(head, m_lastScored.begin), m_lastScored.end - m_lastScored.begin));
        }
        return writer.take();
    }

    void restoreJobState(const Job& /*job*/, std::span<const std::byte> state) override
    {
        if (!selects())
            return;
        ByteReader reader(state, "The saved progress of compactor");
        const auto rows = reader.get<EntryRange>("rows");
        const bool none = rows.begin == rows.end;
        if (rows.begin > rows.end ||
            (!none && (rows.begin < eligible().begin || rows.end > eligible().end)))
            reader.fail("rows");
        for (std::uint32_t layer = 0; layer < plan().layers && !none; ++layer) {
            std::vector<float> sums;
            for (std::uint32_t head = 0; head < plan().kvHeads; ++head) {
                const auto own = reader.getArray<float>("scores");
                if (own.size() != rows.end - rows.begin)
                    reader.fail("scores");
                sums.insert(sums.end(), own.begin(), own.end());
            }
            keepSums(layer, rows, sums);
        }
        reader.expectEnd();
    }

    std::size_t scoreBytes() const override
    {
        std::size_t total = 0;
        for (const auto& layer : m_sums)
            total += layer.capacity() * sizeof(float);
        return total;
    }

private:
    std::size_t placeOf(std::uint32_t head, std::uint32_t row) const
    {
        return std::size_t{head} * eligibleRows() + row - eligible().begin;
    }

    EntryRange scoredNow(std::uint32_t firstRow) const
    {
        return {std::clamp(firstRow, eligible().begin, eligible().end),
                std::min(rowsRead(), eligible().end)};
    }

    /// Every scored row sees its block, the others see nothing.
    std::vector<EntryRange> blocksSeen(const LayerStep& step, const EntryRange& scored) const
    {
        std::vector<EntryRange> visible;
        visible.reserve(step.rows.size() * plan().kvHeads);
        for (const std::uint32_t row : step.rows) {
            EntryRange seen{scored.begin, scored.begin};
            if (row >= scored.end) {
                seen = {scored.end, scored.end};
            } else if (row >= scored.begin) {
                seen.begin = row - (row - eligible().begin) % m_block;
                seen.end = std::min(seen.begin + m_block, eligible().end);
            }
            visible.insert(visible.end(), plan().kvHeads, seen);
        }
        return visible;
    }

    void keepSums(std::uint32_t layer, const EntryRange& rows, std::span<const float> sums)
    {
        m_lastScored = rows;
        m_sums[layer].resize(std::size_t{eligibleRows()} * plan().kvHeads);
        const std::size_t count = rows.end - rows.begin;
        for (std::uint32_t head = 0; head < plan().kvHeads; ++head) {
            std::ranges::copy(sums.subspan(head * count, count),
                              m_sums[layer].begin() +
                                  static_cast<std::ptrdiff_t>(placeOf(head, rows.begin)));
        }
    }

    LayerScores scoresOf(const KvStore& store, std::uint32_t layer) override
    {
        LayerScores scores{plan().kvHeads, eligibleRows(), {}, {}};
        std::vector<float> leverage;
        for (std::uint32_t head = 0; head < plan().kvHeads; ++head) {
            const std::vector<float> attention = attentionOf(store, layer, head);
            scores.score.insert(scores.score.end(), attention.begin(), attention.end());
            const std::vector<float> own = leverageOf(store, layer, head);
            leverage.insert(leverage.end(), own.begin(), own.end());
        }
        zNormalise(scores.score);
        zNormalise(leverage);
        const double blend = blending();
        for (std::size_t i = 0; i < leverage.size(); ++i)
            scores.score[i] = static_cast<float>(static_cast<double>(scores.score[i]) +
                                                 blend * static_cast<double>(leverage[i]));
        return scores;
    }

    std::vector<float> attentionOf(const KvStore& store, std::uint32_t layer,
                                   std::uint32_t head) const
    {
        const std::size_t dim = plan().headDim;
        std::vector<float> values(eligibleRows() * dim);
        store.list(layer, head).readValues(values, eligible().begin, dim);
        std::vector<float> weighted(eligibleRows());
        for (std::size_t j = 0; j < weighted.size(); ++j) {
            const auto value = std::span<const float>(values).subspan(j * dim, dim);
            weighted[j] = m_sums[layer][placeOf(head, eligible().begin) + j] *
                          static_cast<float>(lengthOf(value));
        }
        std::vector<float> pooled(weighted.size());
        kernels::cpu::avgPool(pooled, weighted, kPooled, kernels::cpu::PoolEdge::Zeros);
        return pooled;
    }

    /// The keys before RoPE are those of the cache, turned back and without RoPE's magnitude.
    std::vector<float> leverageOf(const KvStore& store, std::uint32_t layer,
                                  std::uint32_t head) const
    {
        const std::uint32_t dim = plan().headDim;
        std::vector<float> keys(std::size_t{eligibleRows()} * dim);
        store.list(layer, head).readKeys(keys, eligible().begin, dim);
        std::vector<std::int32_t> back;
        for (std::uint32_t row = eligible().begin; row < eligible().end; ++row)
            back.push_back(-store.position(row));
        plan().rotate(keys, back);
        for (float& each : keys)
            each /= plan().ropeMagnitude;
        const auto columns = static_cast<std::uint32_t>(plan().setting("sketch"));
        if (columns >= dim)
            return leverageScores(keys, dim, {});
        const auto seed = static_cast<std::uint64_t>(plan().setting("seed"));
        const std::uint64_t list = std::uint64_t{layer} * plan().kvHeads + head;
        return leverageScores(keys, dim, gaussianSketch(dim, columns, seed << 32U | list));
    }

    /// The weight of the leverage: as large as the part that is dropped, unless it was set.
    double blending() const
    {
        const double set = plan().setting("leverage");
        if (set >= 0)
            return set / 100;
        return plan().budget ? 1 - static_cast<double>(plan().keptPerHead()) / plan().documentRows()
                             : 1 - plan().keep;
    }

    std::uint32_t m_block;
    EntryRange m_lastScored;                // by the job under way
    std::vector<std::vector<float>> m_sums; // [layer] (kvHeads, eligibleRows())
};

} // namespace

MethodEntry compactorMethod()
{
    return {
        {.id = "compactor",
         .title = "Unusual and attended to (Compactor)",
         .description = "Keeps keys that stand out and tokens that their neighbourhood attends to. "
                        "About as quick as reading alone, whatever you ask later.",
         .source = "Chari and Van Durme 2025, arXiv 2507.08143",
         .queryAgnostic = true,
         .parameters = {{"sinks", "first tokens that always stay (tokens)", 0, 1024, 8},
                        {"window", "last tokens that always stay (tokens)", 0, 4096, 4},
                        {"block", "tokens that see one another (tokens)", 2, 4096, 256},
                        {"sketch", "columns of the sketch; from the head's size on exact", 1, 1024,
                         48},
                        {"leverage",
                         "weight of standing out (percent); -1: the part that is dropped", -1, 1000,
                         -1},
                        {"seed", "start of the random numbers of the sketch", 0, 4294967295.0, 1}}},
        [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
            return std::make_unique<CompactorMethod>(plan);
        },
        Composition::SharedScorer,
        Allocator::Uniform,
        false};
}

} // namespace engine
