// Activation Beacon (Zhang et al. 2024, arXiv 2401.03462; structural.md 4): a trained beacon behind
// every few tokens takes up what they say, and when a window of text is full, only its beacons
// stay. Beacons are interleaved with the text and see everything before them ("full-coverage").
//
// Deviations from the reference: the prefix of the prompt stays raw (its skip_first); sinks are the
// first rows, taken once and not held twice (4.6); keys are stored turned and are turned again only
// when their window ends, which gives the same numbers (4.2); a ratio must divide the window. The
// text behind the last full window stays raw with its beacons, and so do questions and answers (its
// skip_last).

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
    if (wanted == kRatioByShare) {
        return ratioForShare(config.ratios,
                             static_cast<double>(plan.keptPerHead()) / plan.documentRows());
    }
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

} // namespace

MethodEntry activationBeaconMethod()
{
    MethodEntry entry;
    entry.info = {.id = "activation-beacon",
                  .title = "Trained summaries (Activation Beacon)",
                  .description =
                      "Reads the text in windows and keeps one trained beacon for every few "
                      "tokens in their place. Needs parameters that were trained for the model.",
                  .source = "Zhang et al. 2024, arXiv 2401.03462",
                  .queryAgnostic = true,
                  .parameters =
                      {
                          {"ratio",
                           "tokens that one beacon stands for: 2, 4, 8, 16 or 32 as trained, 0 to "
                           "keep all text, "
                           "1 to choose by the share to keep (tokens)",
                           0, 32, kRatioByShare},
                          {"adapt",
                           "chooses the ratio with which the text and this many more tokens fit "
                           "the window; 0 "
                           "does not (tokens)",
                           0, 1 << 20, 0},
                      },
                  .needsTraining = true};
    entry.make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
        return std::make_unique<ActivationBeaconMethod>(plan);
    };
    return entry;
}

} // namespace engine
