// HOMER, hierarchical context merging (Song et al. 2024, arXiv 2404.10308; structural.md 3): the
// document is cut into chunks that all stand at the same positions between the same prefix and
// suffix. Each runs alone through the lower layers; then, pair by pair, the tokens that the last
// token attends to least are dropped from all layers read so far, the pair is put together, and
// runs through the next layers. No position is larger than a chunk is long, so the model's window
// does not bound the document, and of a tree only one waiting node per height is held.
//
// The suffix is the chat template's turn with the question, where it is known (the paper's use), or
// else with a neutral instruction. At the end it is removed from every list and the question is
// read behind what was kept, at the position where the suffix stood: the paper continues behind
// the suffix itself, so it can answer one question only.
//
// Deviations: grouped heads are scored with their own keys; the scores are freed from a bias table
// that is measured on a document, once for a model (PrepareOptions::biasTables); a node without a
// brother is not cut; of equal scores the later token stays. The root keeps what the budget says,
// at most a chunk. The settings carry and pool change the order of the rows (homer_significance.h).

#include "engine/kv/byte_stream.h"
#include "engine/methods/homer_rows.h"
#include "engine/methods/homer_sampler.h"
#include "engine/methods/homer_significance.h"
#include "engine/methods/method.h"
#include "kernels/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace engine {
namespace {

constexpr const char* kStateName = "The saved progress of this preparation";
constexpr const char* kInstruction = "What are the most important facts in this text?";

std::vector<std::int32_t> suffixOf(const DocumentPlan& plan)
{
    return plan.turn(plan.question.empty() ? kInstruction : plan.question);
}

std::uint32_t chunkLength(const DocumentPlan& plan)
{
    const auto set = static_cast<std::uint32_t>(plan.setting("chunk"));
    return set != 0 ? std::min(set, plan.contextLength) : plan.contextLength / 2;
}

HomerSchedule scheduleOf(const DocumentPlan& plan)
{
    HomerPlan tree;
    tree.prefix = plan.prefixRows();
    tree.suffix = static_cast<std::uint32_t>(suffixOf(plan).size());
    tree.document = plan.documentRows();
    tree.layers = plan.layers;
    tree.largestChunk = chunkLength(plan);
    if (plan.setting("warm-up") >= 0)
        tree.warmUp = static_cast<std::uint32_t>(plan.setting("warm-up"));
    tree.target = plan.keptPerHead();
    return planHomer(tree);
}

class HomerMethod final : public Method
{
public:
    explicit HomerMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_suffix(suffixOf(plan))
        , m_affixes{plan.prefixRows(), plan.documentRows(),
                    static_cast<std::uint32_t>(m_suffix.size())}
        , m_schedule(scheduleOf(plan))
        , m_sampler(m_plan, chunkLength(plan))
        , m_significance{plan.setting("carry") != 0,
                         static_cast<std::uint32_t>(plan.setting("pool"))}
    {
        m_bias.layers = plan.layers;
        if (!plan.biasTable.empty())
            m_bias = readHomerBias(plan.biasTable, plan.modelIdentity, plan.rope, plan.layers);
        else
            planTable();
        m_bias.model = plan.modelIdentity;
        m_bias.rope = plan.rope;
    }

    std::optional<Job> nextJob(const KvStore& /*store*/) override
    {
        if (!m_sampler.finished())
            return m_sampler.job();
        if (m_node == m_schedule.nodes.size())
            return std::nullopt;
        const HomerNode& node = m_schedule.nodes[m_node];
        if (node.height == 0)
            m_rows = chunkRows(m_affixes, node.begin, node.end, suffixPosition());
        Job job;
        job.phase = "Reading";
        job.tokens = tokensOf(m_rows.ids);
        job.positions = m_rows.positions;
        job.layerBegin = m_schedule.layerBegin(node.height);
        job.layerEnd = m_schedule.layerEnd(node.height);
        job.hidden = std::move(m_rows.hidden);
        job.documentTokens = node.height == 0 ? node.end - node.begin : 0;
        return job;
    }

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        const KvShape& shape = step.store->shape();
        const auto rows = static_cast<std::uint32_t>(step.rows.size());
        const std::uint32_t begin = step.store->list(step.layer, 0).length() - rows;
        if (begin == 0)
            return;
        // Waiting brothers stand in front and are not seen.
        Segment own;
        for (std::uint32_t row = 0; row < rows; ++row)
            own.visible.insert(own.visible.end(), shape.kvHeads, {begin, begin + row + 1});
        segments.push_back(std::move(own));
    }

    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        if (!step.job->keepsKv) {
            m_sampler.collect(step, lastRowScores(step, scorer));
            return;
        }
        if (step.layer + 1 != std::min(step.job->layerEnd, step.layers))
            return;
        const std::uint32_t wanted = m_schedule.nodes[m_node].kept;
        m_kept.resize(step.rows.size());
        std::iota(m_kept.begin(), m_kept.end(), 0U);
        if (wanted == m_kept.size() && !m_significance.carries)
            return;
        std::vector<float> scores = significance(step, scorer);
        if (m_significance.carries)
            m_carried = scores;
        if (wanted < m_kept.size())
            m_kept = kernels::cpu::selectTop(ranked(std::move(scores)), {}, wanted,
                                             kernels::cpu::TieRule::HigherIndex);
    }

    std::optional<std::vector<std::uint32_t>> onResidual(const LayerStep& step,
                                                         std::span<const float> /*hidden*/) override
    {
        if (!step.job->keepsKv || step.layer + 1 != step.job->layerEnd ||
            m_kept.size() == step.rows.size())
            return std::nullopt;
        return m_kept;
    }

    void onJobResult(const Job& job, const JobResult& result) override
    {
        if (job.keepsKv)
            m_rows.hidden = result.hidden;
    }

    std::vector<std::byte> jobState() const override
    {
        ByteWriter writer;
        writer.putArray(std::span<const float>(m_sampler.collected()));
        writer.putArray(std::span<const std::uint32_t>(m_kept));
        writer.putArray(std::span<const float>(m_rows.hidden));
        writer.put(static_cast<std::uint32_t>(m_noNumbers));
        if (m_significance.carries)
            writer.putArray(std::span<const float>(m_carried));
        return writer.take();
    }

    void restoreJobState(const Job& job, std::span<const std::byte> state) override
    {
        ByteReader reader(state, kStateName);
        std::vector<float> sample = reader.getArray<float>("scores");
        m_kept = reader.getArray<std::uint32_t>("kept rows");
        m_rows.hidden = reader.getArray<float>("hidden rows");
        m_noNumbers = reader.get<std::uint32_t>("scores");
        if (m_significance.carries)
            m_carried = reader.getArray<float>("significance");
        reader.expectEnd();
        const bool isSample = !job.keepsKv;
        const std::size_t kept = isSample ? 0 : m_schedule.nodes[m_node].kept;
        const bool isAscending =
            std::ranges::adjacent_find(m_kept, std::greater_equal()) == m_kept.end();
        if (m_kept.size() != kept || !isAscending ||
            (!m_kept.empty() && m_kept.back() >= job.tokens.size()) ||
            m_rows.hidden.size() != (job.layerEnd < m_plan.layers ? kept * m_plan.width : 0) ||
            sample.size() != (isSample ? job.tokens.size() * m_plan.layers : 0) ||
            m_carried.size() != (m_significance.carries && !isSample ? job.tokens.size() : 0))
            reader.fail("method state");
        m_sampler.restore(std::move(sample));
    }

    void onJobEnd(const Job& job, KvStore& store) override
    {
        if (!job.keepsKv) {
            m_sampler.endSample(m_bias);
            return;
        }
        const HomerNode& node = m_schedule.nodes[m_node];
        m_doneCost += costOf(node);
        m_rows.significance = std::exchange(m_carried, {});
        keepRows(m_rows, store, m_schedule.layerEnd(node.height), m_kept);
        if (m_schedule.waits(m_node)) {
            m_waiting.push_back(std::move(m_rows));
            m_rows = {};
        } else if (node.isRight) {
            m_rows = mergeRows(std::move(m_waiting.back()), std::move(m_rows), store,
                               m_schedule.layerEnd(node.height), m_affixes);
            m_waiting.pop_back();
        }
        if (++m_node == m_schedule.nodes.size())
            finish(store);
    }

    double totalCost() const override
    {
        double cost = m_sampler.totalCost();
        for (const HomerNode& node : m_schedule.nodes)
            cost += costOf(node);
        return cost;
    }
    double doneCost() const override { return m_doneCost + m_sampler.doneCost(); }

    std::size_t scoreBytes() const override
    {
        std::size_t floats = m_bias.values.capacity() + m_carried.capacity() +
                             m_rows.hidden.capacity() + m_rows.significance.capacity();
        for (const HomerRows& rows : m_waiting)
            floats += rows.hidden.capacity() + rows.significance.capacity();
        return floats * sizeof(float);
    }

    std::vector<std::byte> artefactState() const override
    {
        if (m_bias.length == 0)
            return {};
        const std::string table = writeHomerBias(m_bias);
        const auto bytes = std::as_bytes(std::span(table));
        return {bytes.begin(), bytes.end()};
    }

    std::vector<std::string> warnings() const override
    {
        if (m_noNumbers == 0)
            return {};
        return {std::to_string(m_noNumbers) + " scores were no numbers, and their tokens were "
                                              "dropped first. The model's file may be damaged."};
    }

private:
    // ---- the bias table

    /// A kept table, or else one that is measured and then kept.
    void planTable()
    {
        const auto pieces = static_cast<std::uint32_t>(m_plan.setting("samples"));
        m_sampler.plan(m_schedule, pieces);
        if (m_sampler.finished() || !m_plan.biasTables)
            return;
        const std::uint32_t chunk = chunkLength(m_plan);
        const std::string key = homerBiasKey(m_plan.modelIdentity, m_plan.rope, chunk, pieces);
        const std::string kept = m_plan.biasTables->find(key);
        if (!kept.empty() && takeTable(kept))
            m_sampler.skip();
        else if (m_sampler.pieceRows() == chunk) // a shorter one does not do for other documents
            m_keptAs = key;
    }

    bool takeTable(const std::string& table)
    {
        try {
            m_bias = readHomerBias(table, m_plan.modelIdentity, m_plan.rope, m_plan.layers);
            return true;
        } catch (const Error&) {
            return false;
        }
    }

    // ---- scores

    std::vector<float> significance(const LayerStep& step, Scorer& scorer)
    {
        std::vector<float> logits = lastRowScores(step, scorer);
        for (std::size_t row = 0; row < logits.size(); ++row)
            m_noNumbers += std::isnan(logits[row]) && !isAffix(m_rows.ids[row]) ? 1U : 0U;
        return m_significance.calibrated(std::move(logits), m_bias, step.layer, step.positions,
                                         m_rows.significance);
    }

    /// What rows are kept by: prefix and suffix always.
    std::vector<float> ranked(std::vector<float> scores) const
    {
        const auto setAffix = [&](float value) {
            for (std::size_t row = 0; row < scores.size(); ++row) {
                if (isAffix(m_rows.ids[row]))
                    scores[row] = value;
            }
        };
        setAffix(-std::numeric_limits<float>::infinity()); // no neighbour gains by them
        scores = m_significance.pooled(std::move(scores), m_rows.ids);
        setAffix(std::numeric_limits<float>::infinity());
        return scores;
    }

    // ---- rows

    bool isAffix(std::uint32_t id) const
    {
        return id < m_plan.prefixRows() || id >= m_plan.totalRows();
    }

    std::int32_t suffixPosition() const
    {
        return static_cast<std::int32_t>(m_plan.prefixRows() + m_schedule.chunk);
    }

    std::vector<std::int32_t> tokensOf(std::span<const std::uint32_t> ids) const
    {
        std::vector<std::int32_t> tokens;
        for (const std::uint32_t id : ids) {
            if (id < m_plan.prefixRows())
                tokens.push_back(m_plan.prefix[id]);
            else if (id < m_plan.totalRows())
                tokens.push_back(m_plan.document[id - m_plan.prefixRows()]);
            else
                tokens.push_back(m_suffix[id - m_plan.totalRows()]);
        }
        return tokens;
    }

    /// Takes the suffix away and numbers the rows as the document's tokens.
    void finish(KvStore& store)
    {
        std::vector<std::uint32_t> kept(m_rows.count() - m_suffix.size());
        std::iota(kept.begin(), kept.end(), 0U);
        keepRows(m_rows, store, m_plan.layers, kept);
        std::vector<std::int32_t> positions(m_plan.prefixRows());
        std::iota(positions.begin(), positions.end(), 0);
        for (std::uint32_t i = 0; i < m_plan.documentRows(); ++i)
            positions.push_back(
                static_cast<std::int32_t>(m_plan.prefixRows() + i % m_schedule.chunk));
        std::vector<Role> roles(m_plan.totalRows(), Role::Document);
        std::fill_n(roles.begin(), m_plan.prefixRows(), Role::System);
        store.relabel(std::move(positions), std::move(roles), suffixPosition(), m_rows.ids);
        m_rows = {};
        if (!m_keptAs.empty())
            m_plan.biasTables->keep(m_keptAs, writeHomerBias(m_bias));
    }

    double costOf(const HomerNode& node) const
    {
        return static_cast<double>(node.rows) *
               (m_schedule.layerEnd(node.height) - m_schedule.layerBegin(node.height));
    }

    DocumentPlan m_plan;
    std::vector<std::int32_t> m_suffix;
    HomerAffixes m_affixes;
    HomerSchedule m_schedule;
    HomerBias m_bias;
    HomerSampler m_sampler;
    HomerSignificance m_significance;
    std::vector<float> m_carried; // significance of the rows at work, for the nodes above
    std::string m_keptAs;         // the key of a table that others may use, once it is measured
    std::size_t m_node = 0;       // at work
    HomerRows m_rows;             // of it
    std::vector<std::uint32_t> m_kept; // of its rows
    std::vector<HomerRows> m_waiting;  // finished left brothers, the highest first
    double m_doneCost = 0;
    std::uint32_t m_noNumbers = 0;
};

} // namespace

MethodEntry homerMethod()
{
    MethodEntry entry{
        {.id = "homer",
         .title = "Chunks merged in a tree (HOMER)",
         .description = "Reads chunks side by side at the same positions and merges them layer by "
                        "layer, so that documents longer than the model's window fit. Keeps at "
                        "most one chunk; made for a question that is known.",
         .source = "Song et al. 2024, arXiv 2404.10308",
         .queryAgnostic = false,
         .parameters =
             {{"chunk", "longest chunk; 0: half the window (tokens)", 0, 1 << 20, 0},
              {"warm-up", "layers before the first merge; -1: three eighths or what fits (layers)",
               -1, 1024, -1},
              {"samples", "pieces of the document that the bias is measured on (pieces)", 0, 1000,
               8},
              {"pool", "neighbours that stay with a token that is looked at (tokens)", 0, 1024, 0},
              {"carry", "1: what earlier layers looked at counts in later merges", 0, 1, 0}}},
        [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
            return std::make_unique<HomerMethod>(plan);
        }};
    entry.positions = [](const DocumentPlan& plan) -> std::uint64_t {
        const HomerSchedule schedule = scheduleOf(plan);
        return plan.prefixRows() + schedule.chunk + suffixOf(plan).size();
    };
    return entry;
}

} // namespace engine
