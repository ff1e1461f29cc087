// Expected Attention (Devoto et al. 2025, arXiv 2510.00636): the document's own queries stand for
// those to come. Their mean and covariance before RoPE, turned to the next positions, give in
// closed form the attention that each key can expect; with the length of its value that is the
// score. selection.md 3.13.

#include "engine/kv/byte_stream.h"
#include "engine/methods/query_statistics.h"
#include "engine/methods/scorer_method.h"

#include <algorithm>
#include <cmath>

namespace engine {
namespace {

class ExpectedAttentionMethod final : public CacheScorer
{
public:
    explicit ExpectedAttentionMethod(const DocumentPlan& plan)
        : CacheScorer(plan, "expected-attention",
                      {.sinks = static_cast<std::uint32_t>(plan.setting("sinks")), .window = 0})
        , m_statistics(plan.layers)
    {}

    void onProjections(const LayerStep& step, std::span<const float> /*normed*/,
                       std::span<const float> query, std::span<const float> /*key*/,
                       std::span<const float> /*value*/) override
    {
        if (!selects())
            return;
        const std::size_t dim = plan().headDim;
        const std::size_t heads = query.size() / step.rows.size() / dim;
        std::vector<QueryStatistics>& layer = ofLayer(step.layer, heads);
        // The first rows' queries are unlike all others.
        const auto first = static_cast<std::size_t>(
            std::ranges::lower_bound(step.rows, eligible().begin) - step.rows.begin());
        const std::size_t count = step.rows.size() - first;
        if (count == 0)
            return;
        // A head's rows are added in their order by one thread, so the threads change no bit.
        plan().parallelFor(heads, 1, [&](std::size_t begin, std::size_t end) {
            for (std::size_t head = begin; head < end; ++head)
                layer[head].add(query.subspan((first * heads + head) * dim), count, heads * dim);
        });
    }

    /// The sums so far: with the covariance about as large as the keys and values of a block.
    std::vector<std::byte> jobState() const override
    {
        if (!selects())
            return {};
        ByteWriter writer;
        for (const auto& layer : m_statistics) {
            writer.put(static_cast<std::uint32_t>(layer.size()));
            for (const QueryStatistics& head : layer)
                writer.putArray(head.state());
        }
        return writer.take();
    }

    void restoreJobState(const Job& /*job*/, std::span<const std::byte> state) override
    {
        if (!selects())
            return;
        ByteReader reader(state, "The saved progress of expected-attention");
        for (std::uint32_t layer = 0; layer < plan().layers; ++layer) {
            const auto heads = reader.get<std::uint32_t>("heads");
            if (heads == 0 || heads % plan().kvHeads != 0 || heads > 4096)
                reader.fail("heads");
            for (QueryStatistics& head : ofLayer(layer, heads)) {
                if (!head.restore(reader.getArray<double>("statistics")))
                    reader.fail("statistics");
            }
        }
        reader.expectEnd();
    }

    std::size_t scoreBytes() const override
    {
        std::size_t total = 0;
        for (const auto& layer : m_statistics) {
            for (const QueryStatistics& head : layer)
                total += head.state().size_bytes();
        }
        return total;
    }

private:
    std::vector<QueryStatistics>& ofLayer(std::uint32_t layer, std::size_t heads)
    {
        std::vector<QueryStatistics>& statistics = m_statistics[layer];
        if (statistics.size() != heads)
            statistics.assign(heads, {plan().headDim, plan().setting("covariance") != 0.0});
        return statistics;
    }

    std::vector<float> scoresOfHead(std::uint32_t layer, std::uint32_t head,
                                    std::span<const float> keys,
                                    std::span<const float> values) override
    {
        if (m_rotation.empty()) {
            m_rotation =
                meanRotation(plan().headDim, static_cast<std::int32_t>(plan().totalRows()),
                             static_cast<std::uint32_t>(plan().setting("horizon")), plan().rotate);
        }
        const std::vector<QueryStatistics>& statistics = m_statistics[layer];
        const std::size_t groupSize = statistics.size() / plan().kvHeads;
        std::vector<ExpectedQuery> group(groupSize);
        plan().parallelFor(groupSize, 1, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i)
                group[i] = expectedQuery(statistics[head * groupSize + i], m_rotation,
                                         static_cast<double>(plan().ropeMagnitude));
        });
        const float scale = 1.0F / std::sqrt(static_cast<float>(plan().headDim));
        return expectedAttentionScores(group, keys, values, scale, plan().parallelFor);
    }

    std::vector<std::vector<QueryStatistics>> m_statistics; // [layer][query head]
    std::vector<double> m_rotation;
};

} // namespace

MethodEntry expectedAttentionMethod()
{
    return {{.id = "expected-attention",
             .title = "What questions will look at (Expected Attention)",
             .description =
                 "Keeps what the next queries can be expected to attend to, judged by the "
                 "text's own. As quick as reading alone, whatever you ask later.",
             .source = "Devoto et al. 2025, arXiv 2510.00636",
             .queryAgnostic = true,
             .parameters = {{"sinks", "first tokens that always stay (tokens)", 0, 1024, 4},
                            {"horizon", "positions after the text that are averaged (tokens)", 1,
                             8192, 512},
                            {"covariance",
                             "1: mean and covariance of the queries; 0: the mean only", 0, 1, 1}}},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<ExpectedAttentionMethod>(plan);
            },
            Composition::SharedScorer,
            Allocator::Uniform};
}

} // namespace engine
