// PoD, proximal tokens over distant tokens (public review thread; structural.md section 5): layers
// that attend alike share the keys of distant tokens, and here their queries, too. Values are never
// shared and no token is dropped. Made for models that were trained further with it; without that
// it is an experiment (structural.md 5.7), so groups are formed strictly by default.
//
// Which layers attend alike is measured on the beginning of the document itself.

#include "engine/kv/byte_stream.h"
#include "engine/methods/block_plan.h"
#include "engine/methods/pod_answer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

class PodMethod final : public Method
{
public:
    explicit PodMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_blocks(m_plan, 1)
        , m_similarity(plan.layers, plan.kvHeads)
        , m_probeRows(
              std::min(static_cast<std::uint32_t>(plan.setting("calibration")), plan.totalRows()))
    {
        m_keys.sinks = static_cast<std::uint32_t>(plan.setting("sinks"));
        m_keys.recent = static_cast<std::uint32_t>(plan.setting("recent"));
        m_keys.sharesScores = plan.setting("scores") != 0;
        const auto fixed = static_cast<std::uint32_t>(plan.setting("group"));
        m_keys.groups = fixedGroups(plan.layers, plan.kvHeads, std::max(1U, fixed));
        m_measures = fixed == 0;
    }

    std::optional<Job> nextJob(const KvStore& /*store*/) override
    {
        if (m_measures && !m_measured)
            return probeJob();
        return m_blocks.next();
    }

    void onProjections(const LayerStep& step, std::span<const float> /*normed*/,
                       std::span<const float> query, std::span<const float> key,
                       std::span<const float> /*value*/) override
    {
        if (step.job->role != Role::Probe)
            return;
        const std::size_t count = step.rows.size();
        const std::size_t heads = query.size() / count / m_plan.headDim;
        const auto rows =
            std::min<std::size_t>(static_cast<std::size_t>(m_plan.setting("rows")), count);
        const float scale = m_plan.ropeMagnitude * m_plan.ropeMagnitude /
                            std::sqrt(static_cast<float>(m_plan.headDim));
        m_weights.push_back(lastRowsWeights(rotated(query, step.positions, heads),
                                            rotated(key, step.positions, m_plan.kvHeads), count,
                                            heads, m_plan.kvHeads, rows, scale));
        for (std::uint32_t lower = 0; lower < step.layer; ++lower)
            m_similarity.compare(lower, m_weights[lower], step.layer, m_weights.back());
    }

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        if (step.job->role != Role::Probe)
            addSharedKeySegments(m_keys, step, segments);
    }

    bool keepsQuery(const LayerStep& step) const override
    {
        return m_keys.sharesScores && step.job->role != Role::Probe && m_keys.lends(step.layer);
    }

    std::vector<std::byte> jobState() const override
    {
        if (!m_measures || m_measured)
            return {};
        ByteWriter writer;
        writer.putArray(std::span<const float>(m_similarity.values()));
        return writer.take();
    }

    void restoreJobState(const Job& job, std::span<const std::byte> state) override
    {
        if (job.role != Role::Probe)
            return;
        ByteReader reader(state, "The saved progress of PoD");
        if (!m_similarity.restore(reader.getArray<float>("similarities")))
            reader.fail("similarities");
        reader.expectEnd();
    }

    void onJobEnd(const Job& job, KvStore& store) override
    {
        if (job.role == Role::Probe) {
            m_measured = true;
            m_weights = {};
            m_keys.groups = groupLayers(m_similarity, m_plan.setting("similarity") / 100.0);
            return;
        }
        releaseDistantKeys(m_keys, store);
        m_read = m_blocks.rowsHandedOut();
    }

    std::vector<std::byte> artefactState() const override { return writeSharedKeys(m_keys); }

    double totalCost() const override
    {
        return probeCost() + m_blocks.costUpTo(m_plan.totalRows());
    }
    double doneCost() const override
    {
        return (m_measured ? probeCost() : 0) + m_blocks.costUpTo(m_read);
    }
    std::size_t scoreBytes() const override
    {
        std::size_t total = 0;
        for (const AttentionWeights& layer : m_weights)
            total += layer.weights.capacity() * sizeof(float);
        return total;
    }

private:
    double probeCost() const { return m_measures ? m_blocks.costUpTo(m_probeRows) : 0; }

    Job probeJob() const
    {
        Job job;
        job.role = Role::Probe;
        job.phase = "Comparing layers";
        job.keepsKv = false;
        job.tokens = m_plan.prefix;
        job.tokens.insert(job.tokens.end(), m_plan.document.begin(), m_plan.document.end());
        job.tokens.resize(m_probeRows);
        job.positions.resize(m_probeRows);
        std::iota(job.positions.begin(), job.positions.end(), 0);
        job.documentTokens = m_probeRows - std::min(m_probeRows, m_plan.prefixRows());
        return job;
    }

    /// (rows, heads, headDim) turned to the rows' positions.
    std::vector<float> rotated(std::span<const float> vectors,
                               std::span<const std::int32_t> positions, std::size_t heads) const
    {
        std::vector<float> turned(vectors.begin(), vectors.end());
        std::vector<std::int32_t> perHead;
        for (const std::int32_t position : positions)
            perHead.insert(perHead.end(), heads, position);
        m_plan.rotate(turned, perHead);
        return turned;
    }

    DocumentPlan m_plan;
    BlockPlan m_blocks;
    SharedKeys m_keys;
    LayerSimilarity m_similarity;
    std::uint32_t m_probeRows;
    std::vector<AttentionWeights> m_weights; // [layer], while the probe runs
    bool m_measures = true;
    bool m_measured = false;
    std::uint32_t m_read = 0;
};

} // namespace

MethodEntry podMethod()
{
    MethodEntry entry;
    entry.info = {
        .id = "pod",
        .title = "Layers share distant keys (PoD)",
        .description =
            "Keeps every token; layers that look at the same places share the keys of distant "
            "ones. Meant for models trained for it; an experiment with others.",
        .source = "Proximal tokens over distant tokens, public review thread, 2024",
        .queryAgnostic = true,
        .parameters =
            {{"similarity", "how alike layers must attend to share (percent)", 0, 100, 90},
             {"group", "layers that share; 0: as measured (layers)", 0, 1024, 0},
             {"sinks", "first tokens with keys in every layer (tokens)", 0, 4096, 16},
             {"recent", "recent tokens with keys in every layer (tokens)", 1, 1 << 20, 4080},
             {"scores", "1: share queries and keys; 0: keys only", 0, 1, 1},
             {"calibration", "first tokens on which layers are compared (tokens)", 16, 8192, 2048},
             {"rows", "rows that are compared (tokens)", 1, 256, 16}},
        .usesKeep = false};
    entry.make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
        return std::make_unique<PodMethod>(plan);
    };
    entry.answer = [](const Context& context, LoadedModel&) { return makePodAnswer(context); };
    entry.sharesKeys = true;
    return entry;
}

} // namespace engine
