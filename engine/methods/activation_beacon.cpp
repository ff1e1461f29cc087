// Activation Beacon (Zhang et al. 2024, arXiv 2401.03462; structural.md 4): a trained beacon behind
// every few tokens takes up what they say, and when a window of text is full, only its beacons
// stay. Beacons are interleaved with the text and see everything before them ("full-coverage").
//
// Deviations from the reference: the prefix of the prompt stays raw (its skip_first); sinks are the
// first rows, taken once and not held twice (4.6); keys are stored turned and are turned again only
// when their window ends, which gives the same numbers (4.2); a ratio must divide the window. The
// text behind the last full window stays raw with its beacons. Questions and answers stay raw
// without beacons (its skip_last) unless "turns" asks for the reference's way.

#include "engine/dialog/context.h"
#include "engine/kv/byte_stream.h"
#include "engine/methods/answering.h"
#include "engine/methods/beacon_window.h"
#include "engine/methods/method.h"
#include "engine/model/model.h"

#include <algorithm>

namespace engine {
namespace {

constexpr double kRatioByShare = 1;

/// Fixed, adaptive, or by the share to keep. Throws BadInput.
std::uint32_t chooseRatio(const DocumentPlan& plan, const BeaconConfig& config)
{
    const double wanted = plan.setting("ratio");
    const auto room = static_cast<std::uint64_t>(plan.setting("adapt"));
    if (room > 0 && wanted != kRatioByShare) {
        throw Error(ErrorCode::BadInput,
                    "Activation Beacon takes either a fixed ratio or adapt, which chooses one. "
                    "Leave out one of the two settings.");
    }
    if (room > 0) {
        return adaptiveRatio(config.ratios, plan.contextLength, config.window,
                             plan.totalRows() + room);
    }
    if (wanted == kRatioByShare)
        return ratioForKept(config.ratios, plan.keptPerHead(), plan.documentRows());
    const auto ratio = static_cast<std::uint32_t>(wanted);
    if (ratio == wanted &&
        (ratio == 0 || std::ranges::find(config.ratios, ratio) != config.ratios.end()))
        return ratio;
    std::string allowed;
    for (const std::uint32_t each : config.ratios) {
        if (each > 0)
            allowed += std::to_string(each) + ", ";
    }
    throw Error(ErrorCode::BadInput,
                "The beacons of this model were trained for the ratios " + allowed +
                    "so the setting ratio must be one of them, 0 to keep all text, or 1 to choose "
                    "by the share to keep.");
}

/// What questions need to know of how the text was read.
struct BeaconState
{
    BeaconShape shape;
    std::uint32_t inWindow = 0;
    std::string identity; // of the beacon parameters
};

std::vector<std::byte> writeState(const BeaconState& state)
{
    ByteWriter writer;
    writer.put(state.shape);
    writer.put(state.inWindow);
    writer.putText(state.identity);
    return writer.take();
}

BeaconState readState(std::span<const std::byte> bytes)
{
    ByteReader reader(bytes, "The prepared document");
    BeaconState state;
    state.shape = reader.get<BeaconShape>("beacon window");
    state.inWindow = reader.get<std::uint32_t>("place in the beacon window");
    state.identity = reader.getText("beacon parameters");
    reader.expectEnd();
    const BeaconShape& shape = state.shape;
    if (shape.window == 0 || (shape.ratio > 0 && shape.window % shape.ratio != 0) ||
        state.inWindow >= shape.window)
        reader.fail("beacon window");
    return state;
}

BeaconShape shapeOf(const DocumentPlan& plan)
{
    const BeaconConfig& config = plan.beacon().config;
    return {config.window, chooseRatio(plan, config), std::max(config.sinks, plan.prefixRows())};
}

class ActivationBeaconMethod final : public Method
{
public:
    explicit ActivationBeaconMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_window(shapeOf(plan))
    {}

    std::optional<Job> nextJob(const KvStore& store) override
    {
        const std::uint32_t prefix = m_plan.prefixRows();
        if (m_handedOut == m_plan.totalRows())
            return std::nullopt;
        Job job;
        job.phase = "Reading";
        if (m_handedOut < prefix) {
            addPrefix(job);
            return job;
        }
        const std::uint32_t begin = m_handedOut - prefix;
        const std::uint32_t count =
            std::min({m_plan.blockRows, m_window.room(), m_plan.documentRows() - begin});
        m_window.addRows(job, std::span(m_plan.document).subspan(begin, count),
                         store.nextPosition(), static_cast<std::int32_t>(m_plan.vocabularySize),
                         LoadedModel::kBeaconWeightSet);
        job.documentTokens = count;
        m_handedOut += count;
        return job;
    }

    void onJobEnd(const Job& /*job*/, KvStore& store) override
    {
        m_done = m_handedOut;
        if (m_window.isFull())
            m_window.compact(store, m_plan.rotate);
    }

    std::vector<std::byte> jobState() const override
    {
        const auto identity = std::as_bytes(std::span(m_plan.beacon().identity));
        return {identity.begin(), identity.end()};
    }

    void restoreJobState(const Job& /*job*/, std::span<const std::byte> state) override
    {
        if (!std::ranges::equal(state, jobState())) {
            throw Error(ErrorCode::Mismatch,
                        "The saved progress was made with other beacon parameters than those "
                        "beside the model now. Prepare the document again.");
        }
    }

    std::vector<std::byte> artefactState() const override
    {
        return writeState({m_window.shape(), m_window.inWindow(), m_plan.beacon().identity});
    }

    double totalCost() const override { return m_plan.totalRows(); }
    double doneCost() const override { return m_done; }

private:
    void addPrefix(Job& job)
    {
        const std::uint32_t end = std::min(m_handedOut + m_plan.blockRows, m_plan.prefixRows());
        for (; m_handedOut < end; ++m_handedOut) {
            job.tokens.push_back(m_plan.prefix[m_handedOut]);
            job.positions.push_back(static_cast<std::int32_t>(m_handedOut));
        }
    }

    DocumentPlan m_plan;
    BeaconWindow m_window;
    std::uint32_t m_handedOut = 0; // rows of prefix and text in the jobs so far
    std::uint32_t m_done = 0;
};

/// Questions and answers are text like the document's: read in windows, and let go of behind their
/// beacons.
class BeaconAnswer final : public AnswerMethod
{
public:
    BeaconAnswer(const BeaconState& state, LoadedModel& model)
        : m_window(state.shape, state.inWindow)
        , m_model(&model)
    {}

    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<BeaconAnswer>(*this);
    }

    std::size_t rowsPerJob(Role /*role*/) const override { return m_window.room(); }

    void onRows(Job& job) override
    {
        const std::vector<std::int32_t> text = std::exchange(job.tokens, {});
        const std::vector<std::int32_t> positions = std::exchange(job.positions, {});
        m_window.addRows(job, text, positions.front(),
                         static_cast<std::int32_t>(m_model->config().vocabularySize),
                         LoadedModel::kBeaconWeightSet);
    }

    void afterJob(const Job& /*job*/, KvStore& store) override
    {
        if (!m_window.isFull())
            return;
        const ModelConfig& config = m_model->config();
        const RopeTable& table = store.rope() ? *store.rope() : m_model->transformer().ropeTable();
        m_window.compact(store, [&](std::span<float> keys, std::span<const std::int32_t> deltas) {
            m_model->backend().rope(keys, deltas, table.frequencies, 1, config.headDim,
                                    config.pairing, 1.0F);
        });
    }

private:
    BeaconWindow m_window;
    LoadedModel* m_model; // outlives every conversation with it
};

std::unique_ptr<AnswerMethod> answerOf(const Context& context, LoadedModel& model)
{
    const BeaconState state = readState(context.methodState());
    const auto turns = context.info().settings.find("turns");
    if (state.shape.ratio == 0 || turns == context.info().settings.end() || turns->second == 0)
        return std::make_unique<PlainAnswer>();
    if (state.identity != model.beacon().identity) {
        throw Error(ErrorCode::Mismatch,
                    "The document was prepared with other beacon parameters than those beside " +
                        model.info().name +
                        " now. Put the earlier ones back, or prepare the document again.");
    }
    return std::make_unique<BeaconAnswer>(state, model);
}

} // namespace

MethodEntry activationBeaconMethod()
{
    MethodEntry entry;
    entry.info = {
        .id = "activation-beacon",
        .title = "Trained summaries (Activation Beacon)",
        .description = "Reads the text in windows and keeps one trained beacon for every few "
                       "tokens in their place. Needs parameters that were trained for the model.",
        .source = "Zhang et al. 2024, arXiv 2401.03462",
        .queryAgnostic = true,
        .parameters =
            {
                {"ratio",
                 "what one beacon stands for: 2, 4, 8, 16 or 32 as trained, 0 to keep all text, "
                 "1 to choose by the share to keep (tokens)",
                 0, 32, kRatioByShare},
                {"adapt",
                 "chooses the ratio with which the text and this many more fit the window; 0 does "
                 "not (tokens)",
                 0, 1 << 20, 0},
                {"turns", "1: questions and answers are compressed like the text; 0: they stay raw",
                 0, 1, 0},
            },
        .needsTraining = true};
    entry.make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
        return std::make_unique<ActivationBeaconMethod>(plan);
    };
    entry.answer = answerOf;
    entry.positions = [](const DocumentPlan& plan) {
        return beaconPeak(shapeOf(plan), plan.documentRows());
    };
    return entry;
}

} // namespace engine
