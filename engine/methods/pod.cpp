// PoD, proximal tokens over distant tokens (public review thread; structural.md section 5): layers
// that attend alike share the keys of distant tokens, and here their queries, too. Values are never
// shared and no token is dropped. Made for models that were trained further with it; without that
// it is an experiment (structural.md 5.7), so groups are formed strictly by default.
//
// Which layers attend alike is measured on the beginning of the document itself. With the stage
// snapkv distant tokens compete for places (distant_selection.h); their keys are then all held
// until the last one is read.

#include "engine/kv/byte_stream.h"
#include "engine/methods/block_plan.h"
#include "engine/methods/distant_selection.h"
#include "engine/methods/layer_probe.h"
#include "engine/methods/pod_answer.h"

#include <algorithm>

namespace engine {
namespace {

constexpr double kNeverSkips = 101; // percent

SharedKeys keysOf(const DocumentPlan& plan)
{
    SharedKeys keys;
    keys.sinks = static_cast<std::uint32_t>(plan.setting("sinks"));
    keys.recent = static_cast<std::uint32_t>(plan.setting("recent"));
    keys.sharesScores = plan.setting("scores") != 0;
    const auto fixed = static_cast<std::uint32_t>(plan.setting("group"));
    keys.groups = fixedGroups(plan.layers, plan.kvHeads, std::max(1U, fixed));
    if (!keys.sharesScores && plan.setting("skip") < kNeverSkips) {
        throw Error(ErrorCode::BadInput,
                    "The setting skip of pod needs shared queries, since only then is it known "
                    "before how much the distant tokens weigh. Set scores=1, or leave out skip.");
    }
    return keys;
}

class PodMethod final : public Method
{
public:
    explicit PodMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_keys(keysOf(plan))
        , m_probe(m_plan, static_cast<std::uint32_t>(plan.setting("calibration")),
                  static_cast<std::uint32_t>(plan.setting("rows")))
        , m_measures(plan.setting("group") == 0)
    {
        if (plan.stages.snapkv)
            m_selection.emplace(m_plan, m_keys);
        m_blocks.emplace(m_plan, selects() ? m_selection->votingRows() : 1);
    }

    std::optional<Job> nextJob(const KvStore& /*store*/) override
    {
        if (m_measures && !m_measured)
            return m_probe.job();
        return m_blocks->next();
    }

    void onProjections(const LayerStep& step, std::span<const float> normed,
                       std::span<const float> query, std::span<const float> key,
                       std::span<const float> value) override
    {
        if (step.job->role == Role::Probe)
            m_probe.onProjections(step, normed, query, key, value);
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

    bool needsLse(const LayerStep& step) const override { return votes(*step.job, step.layer); }

    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        if (votes(*step.job, step.layer))
            m_selection->vote(step, scorer);
    }

    std::vector<std::byte> jobState() const override
    {
        if (m_measures && !m_measured) {
            ByteWriter writer;
            writer.putArray(std::span<const float>(m_probe.similarity().values()));
            return writer.take();
        }
        return selects() && m_blocks->finished() ? m_selection->state() : std::vector<std::byte>();
    }

    void restoreJobState(const Job& job, std::span<const std::byte> state) override
    {
        if (job.role == Role::Probe) {
            ByteReader reader(state, "The saved progress of PoD");
            if (!m_probe.similarity().restore(reader.getArray<float>("similarities")))
                reader.fail("similarities");
            reader.expectEnd();
        } else if (selects() && m_blocks->finished()) {
            m_selection->restore(state);
        }
    }

    void onJobEnd(const Job& job, KvStore& store) override
    {
        if (job.role == Role::Probe) {
            m_measured = true;
            m_probe.finish();
            m_keys.groups = groupLayers(m_probe.similarity(), m_plan.setting("similarity") / 100.0);
            return;
        }
        m_read = m_blocks->rowsHandedOut();
        if (selects() && !m_blocks->finished())
            return; // choosing needs the keys
        if (selects())
            m_selection->decide(m_keys.groups, store);
        releaseDistantKeys(m_keys, store);
    }

    std::vector<std::byte> artefactState() const override { return writeSharedKeys(m_keys); }

    double totalCost() const override
    {
        return probeCost() + m_blocks->costUpTo(m_plan.totalRows());
    }
    double doneCost() const override
    {
        return (m_measured ? probeCost() : 0) + m_blocks->costUpTo(m_read);
    }
    std::size_t scoreBytes() const override
    {
        return m_probe.bytes() + (m_selection ? m_selection->bytes() : 0);
    }
    std::vector<std::string> warnings() const override
    {
        return m_selection ? m_selection->warnings() : std::vector<std::string>();
    }

private:
    bool selects() const { return m_selection && m_selection->selects(); }
    bool votes(const Job& job, std::uint32_t layer) const
    {
        return selects() && job.role != Role::Probe && m_blocks->finished() && m_keys.owns(layer);
    }
    double probeCost() const { return m_measures ? m_blocks->costUpTo(m_probe.tokens()) : 0; }

    DocumentPlan m_plan;
    SharedKeys m_keys;
    LayerProbe m_probe;
    std::optional<DistantSelection> m_selection;
    std::optional<BlockPlan> m_blocks; // whose last block has the rows that vote
    bool m_measures;
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
             {"skip",
              "share of the attention on near tokens from which distant ones are left out of "
              "answers; 101: never (percent)",
              0, kNeverSkips, kNeverSkips},
             {"calibration", "first tokens on which layers are compared (tokens)", 16, 8192, 2048},
             {"rows", "rows that are compared (tokens)", 1, 256, 16}},
        .usesKeep = false};
    entry.make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
        return std::make_unique<PodMethod>(plan);
    };
    entry.answer = [](const Context& context, LoadedModel&) { return makePodAnswer(context); };
    entry.sharesKeys = true;
    entry.keepsPinned = true; // no token is dropped; with snapkv they are protected
    entry.takesSnapkv = true;
    return entry;
}

} // namespace engine
