// KVzip+ (Jegou et al. 2025, "KVzap"): KVzip's weights times what they move, |W_O v| of the key's
// value, over the size of the repeating row's input. structural.md 6.2; the input is the one after
// the norm, as in the published program, not the residual stream of the text.

#include "engine/methods/kvzip_scorer.h"
#include "engine/methods/score_math.h"

#include <cmath>
#include <limits>

namespace engine {
namespace {

class KvzipPlusMethod final : public KvzipScorer
{
public:
    explicit KvzipPlusMethod(const DocumentPlan& plan)
        : KvzipScorer(plan, "kvzip-plus")
    {}

    void onProjections(const LayerStep& step, std::span<const float> normed,
                       std::span<const float> /*query*/, std::span<const float> /*key*/,
                       std::span<const float> /*value*/) override
    {
        if (step.job->role != Role::Probe)
            return;
        m_rowWeights.clear();
        const std::size_t width = normed.size() / step.rows.size();
        for (std::size_t row = 0; row < step.rows.size(); ++row) {
            const double length = lengthOf(normed.subspan(row * width, width));
            m_rowWeights.push_back(length > 0 ? static_cast<float>(1 / length) : 0.0F);
        }
    }

private:
    void weigh(kernels::ScoreSpec& spec, const LayerStep& step,
               const kernels::EntryRange& piece) override
    {
        std::vector<float> values(std::size_t{piece.end - piece.begin} * plan().headDim);
        m_columnWeights.clear();
        for (std::uint32_t head = 0; head < plan().kvHeads; ++head) {
            step.store->list(step.layer, head).readValues(values, piece.begin, plan().headDim);
            const std::vector<float> norms = plan().projectedNorms(step.layer, head, values);
            m_columnWeights.insert(m_columnWeights.end(), norms.begin(), norms.end());
        }
        // A value of length 0 moves nothing; the logarithm of its weight must stay a number.
        for (float& each : m_columnWeights)
            each = std::fmax(each, std::numeric_limits<float>::min());
        spec.rowWeights = m_rowWeights;
        spec.columnWeights = m_columnWeights;
    }

    std::vector<float> m_rowWeights;    // (rows)
    std::vector<float> m_columnWeights; // (query heads, tokens of the piece)
};

} // namespace

MethodEntry kvzipPlusMethod()
{
    return {{.id = "kvzip-plus",
             .title = "What repeating needs and moves (KVzip+)",
             .description =
                 "As KVzip, but a token also counts by how much its value changes the result. "
                 "Takes about twice as long to prepare as reading alone.",
             .source = "Kim et al. 2025, arXiv 2505.23416; Jegou et al. 2025, KVzap",
             .queryAgnostic = true,
             .parameters = kvzipParameters(),
             .extraPasses = 1},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<KvzipPlusMethod>(plan);
            },
            Composition::SharedScorer,
            Allocator::Global};
}

} // namespace engine
