// DuoAttention (Xiao et al. 2024, arXiv 2410.10819): some heads retrieve and keep the whole
// document, the others stream and keep the first and the most recent tokens at their true
// positions; structural.md 6.5. Which heads retrieve is told by KVzip's head scores (6.1), from a
// table or measured on the document's beginning, in place of the paper's trained gates; how many,
// by the budget.
//
// With a table the streaming heads are read as they will be used, each row with the sinks and its
// own window, and their lists never grow beyond these. (The published program lets a row see all of
// its block, so its result depends on the size of the blocks.) Without one, or with pinned tokens,
// everything is read with full attention and cut at the end, as its one-shot prefill does. While
// questions are answered the streaming heads go on as the ones of a table do (streaming_answer.h).

#include "engine/dialog/context.h"
#include "engine/methods/head_scores.h"
#include "engine/methods/streaming_answer.h"
#include "engine/model/model.h"

#include <algorithm>
#include <numeric>

namespace engine {
namespace {

using kernels::EntryRange;

class DuoAttentionMethod final : public HeadMethod
{
public:
    explicit DuoAttentionMethod(const DocumentPlan& plan)
        : HeadMethod(plan, "duo-attention")
        , m_sinks(std::clamp(static_cast<std::uint32_t>(plan.setting("sinks")), plan.prefixRows(),
                             plan.totalRows()))
        , m_recent(std::min(static_cast<std::uint32_t>(plan.setting("recent")),
                            plan.totalRows() - m_sinks))
        , m_stays(alwaysKept())
    {
        if (!selects())
            return;
        std::fill_n(m_stays.begin(), m_sinks, true);
        std::fill_n(m_stays.end() - m_recent, m_recent, true);
        const auto staying = std::count(m_stays.begin(), m_stays.end(), true);
        m_whole = wholeHeads(static_cast<std::uint32_t>(staying) - plan.prefixRows(),
                             "lower the settings sinks or recent");
        if (hasTable() && plan.pinned.empty())
            m_retrieving = bestHeads(headScores(), m_whole);
    }

    /// Nothing where every head holds everything.
    std::vector<std::byte> artefactState() const override
    {
        StreamingAnswer::State state;
        state.recent = m_recent;
        for (const bool whole : m_retrieving)
            state.streams.push_back(whole ? 0 : 1);
        if (std::ranges::find(state.streams, 1) == state.streams.end())
            return {};
        std::vector<bool> stays = alwaysKept();
        std::fill_n(stays.begin(), m_sinks, true);
        for (std::uint32_t row = 0; row < stays.size(); ++row) {
            if (!stays[row])
                continue;
            if (state.staying.empty() || state.staying.back().end != row)
                state.staying.push_back({row, row});
            ++state.staying.back().end;
        }
        return state.write();
    }

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        if (!streams() || step.job->role == Role::Probe)
            return;
        const auto rows = static_cast<std::uint32_t>(step.rows.size());
        Segment own;
        Segment sinks;
        for (std::uint32_t r = 0; r < rows; ++r) {
            for (std::uint32_t head = 0; head < plan().kvHeads; ++head) {
                const std::uint32_t length = step.store->list(step.layer, head).length();
                const std::uint32_t end = length - rows + r + 1;
                const bool whole = m_retrieving[step.layer * plan().kvHeads + head];
                const std::uint32_t first = whole ? 0 : std::min(m_sinks, end);
                const std::uint32_t recent = whole || end < m_recent ? 0 : end - m_recent;
                own.visible.push_back({std::max(first, recent), end});
                sinks.visible.push_back({0, first});
            }
        }
        segments.push_back(std::move(own));
        segments.push_back(std::move(sinks));
    }

private:
    bool streams() const { return !m_retrieving.empty(); }

    void onBlockRead(KvStore& store) override
    {
        for (std::uint32_t index = 0; index < m_retrieving.size(); ++index) {
            KvList& list = store.list(index / plan().kvHeads, index % plan().kvHeads);
            if (m_retrieving[index] || list.length() <= m_sinks + m_recent)
                continue;
            std::vector<std::uint32_t> kept(m_sinks + m_recent);
            const auto middle = kept.begin() + m_sinks;
            std::iota(kept.begin(), middle, 0U);
            std::iota(middle, kept.end(), list.length() - m_recent);
            list.keep(kept, plan().headDim);
        }
    }

    void finish(KvStore& store) override
    {
        if (streams())
            return;
        m_retrieving = bestHeads(headScores(), m_whole);
        cutHeads(store, m_retrieving, m_stays);
    }

    std::uint32_t m_sinks;  // rows, the prefix among them
    std::uint32_t m_recent; // rows
    std::vector<bool> m_stays;
    std::uint64_t m_whole = 0;
    std::vector<bool> m_retrieving; // [layer][head], once it is known; with a table from the start
};

std::unique_ptr<AnswerMethod> answerFrom(const Context& context, LoadedModel& model)
{
    if (context.methodState().empty())
        return std::make_unique<PlainAnswer>();
    return std::make_unique<StreamingAnswer>(
        model.backend(), StreamingAnswer::State::read(context.methodState()), context.store());
}

std::vector<MethodParameter> duoParameters()
{
    auto parameters = headParameters();
    parameters.push_back(
        {"sinks", "first tokens that stay in streaming heads (tokens)", 0, 4096, 64});
    parameters.push_back(
        {"recent", "last tokens that stay in streaming heads (tokens)", 1, 65536, 256});
    return parameters;
}

} // namespace

MethodEntry duoAttentionMethod()
{
    return {.info = {.id = "duo-attention",
                     .title = "Retrieving and streaming heads (DuoAttention)",
                     .description =
                         "Keeps everything in the heads that retrieve, and the beginning and the "
                         "end in the others, whatever you ask later. With a head table as quick as "
                         "reading alone. Keep about 0.5.",
                     .source = "Xiao et al. 2024, arXiv 2410.10819",
                     .queryAgnostic = true,
                     .parameters = duoParameters(),
                     .extraPasses = 1},
            .make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<DuoAttentionMethod>(plan);
            },
            .composition = Composition::Closed,
            .keepsPinned = true,
            .takesHeadTable = true,
            .answer = answerFrom};
}

} // namespace engine
