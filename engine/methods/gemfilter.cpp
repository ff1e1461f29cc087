// GemFilter (Shi et al. 2024, arXiv 2409.17422), in several turns (selection.md 3.1): a document
// goes through the lower layers only, up to one in the middle that already knows where an answer
// stands. What is kept is the state of these layers, whole; tokens are chosen when a question is
// there, and chosen anew for the next one (gemfilter_answer.h). Where the question is known while
// reading, the choice can be made then (gemfilter_question.h).
//
// Deviations from the authors' code: prefix and question always stay, the votes decide among the
// rest (selection.md 8, trap 4); the values of the scoring layer are stored beside its keys.

#include "engine/dialog/context.h"
#include "engine/methods/block_plan.h"
#include "engine/methods/filter_layer.h"
#include "engine/methods/gemfilter_answer.h"
#include "engine/methods/gemfilter_question.h"
#include "engine/model/model.h"

#include <cmath>

namespace engine {
namespace {

/// Where in a model the authors' layers stand (13 of 32, 19 of 40; selection.md 3.1).
constexpr double kMiddle = 0.42;

/// In the order of the words of the setting.
enum class Mode
{
    MultiTurn,
    SingleTurn,
    OneRun
};

/// Contexts of versions that knew one mode do not name it.
Mode modeOf(const std::map<std::string, double>& settings)
{
    const auto mode = settings.find("mode");
    return mode == settings.end() ? Mode::MultiTurn
                                  : static_cast<Mode>(static_cast<int>(mode->second));
}

FilterLayer layerOf(const DocumentPlan& plan)
{
    const double setting = plan.setting("layer");
    if (setting == 0)
        return chooseFilterLayer(plan);
    const std::uint32_t above = plan.layers > 1 ? plan.layers - 1 : 0;
    if (setting < 0) {
        const auto middle = static_cast<std::uint32_t>(std::lround(kMiddle * plan.layers));
        return {std::min(std::max(1U, middle), above), 1};
    }
    const auto wanted = static_cast<std::uint32_t>(setting);
    if (wanted >= plan.layers) {
        throw Error(ErrorCode::BadInput,
                    "The model has " + std::to_string(plan.layers) +
                        " layers, so GemFilter's setting layer must be between 1 and " +
                        std::to_string(above) +
                        ", 0 to choose one by trial, or -1 for one near the middle.");
    }
    return {wanted, 1};
}

std::uint32_t kernelOf(const DocumentPlan& plan)
{
    const auto kernel = static_cast<std::uint32_t>(plan.setting("kernel"));
    if (kernel % 2 == 0)
        throw Error(ErrorCode::BadInput, "The setting kernel of GemFilter must be odd.");
    return kernel;
}

class GemFilterMethod final : public Method
{
public:
    explicit GemFilterMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_blocks(m_plan, 1)
        , m_kernel(kernelOf(plan))
        , m_layer(layerOf(plan))
    {}

    std::optional<Job> nextJob(const KvStore& /*store*/) override
    {
        std::optional<Job> job = m_blocks.next();
        if (job) {
            job->layerEnd = m_layer.layer + 1;
            job->wantsHidden = false;
        }
        return job;
    }

    void onJobEnd(const Job& /*job*/, KvStore& /*store*/) override
    {
        m_done = m_blocks.rowsHandedOut();
    }

    std::vector<std::byte> artefactState() const override
    {
        const GemFilterState state{m_layer.layer,
                                   static_cast<std::uint32_t>(m_plan.setting("select")), m_kernel,
                                   m_plan.prefix, m_plan.document};
        return state.write();
    }

    std::vector<std::string> warnings() const override { return filterLayerWarnings(m_layer); }

    double totalCost() const override { return m_blocks.costUpTo(m_plan.totalRows()); }
    double doneCost() const override { return m_blocks.costUpTo(m_done); }

private:
    DocumentPlan m_plan;
    BlockPlan m_blocks;
    std::uint32_t m_kernel;
    FilterLayer m_layer;
    std::uint32_t m_done = 0;
};

std::unique_ptr<Method> makeMethod(const DocumentPlan& plan)
{
    const Mode mode = modeOf(plan.settings);
    if (mode == Mode::MultiTurn)
        return std::make_unique<GemFilterMethod>(plan);
    requireQuestion(plan);
    const FilterQuota quota{static_cast<std::uint32_t>(plan.setting("select")), kernelOf(plan)};
    return makeQuestionFilter(plan, {layerOf(plan), quota, mode == Mode::SingleTurn});
}

/// Throws Damaged when the state is not that of the context.
std::unique_ptr<AnswerMethod> answerFrom(const Context& context, LoadedModel& model)
{
    if (modeOf(context.info().settings) != Mode::MultiTurn)
        return std::make_unique<PlainAnswer>(); // its tokens were chosen before
    auto state = std::make_shared<GemFilterState>(GemFilterState::read(context.methodState()));
    const KvStore& store = context.store();
    const auto vocabulary = static_cast<std::int32_t>(model.config().vocabularySize);
    bool fits = state->layer < store.shape().layers &&
                state->prefix.size() == context.prefixRows() &&
                state->prefix.size() + state->document.size() == store.rowCount();
    for (const auto* tokens : {&state->prefix, &state->document}) {
        for (const std::int32_t token : *tokens)
            fits = fits && token >= 0 && token < vocabulary;
    }
    for (std::uint32_t layer = 0; fits && layer < store.shape().layers; ++layer) {
        for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head) {
            const std::uint32_t expected = layer <= state->layer ? store.rowCount() : 0;
            fits = fits && store.list(layer, head).length() == expected;
        }
    }
    if (!fits) {
        throw Error(ErrorCode::Damaged,
                    "The stored state of GemFilter does not fit the stored document. Prepare the "
                    "document again.");
    }
    return std::make_unique<GemFilterAnswer>(model.transformer(), std::move(state), store);
}

} // namespace

MethodEntry gemfilterMethod()
{
    return {
        .info =
            {.id = "gemfilter",
             .title = "Chosen anew for each question (GemFilter)",
             .description =
                 "Reads the document through the lower layers only. Each question chooses "
                 "the tokens that matter to it, and they are read again through all "
                 "layers. No token is lost; every question costs a short reading. For one "
                 "question that is known before (--question), mode single-turn chooses while "
                 "reading and keeps the chosen tokens only; one-run does so without reading "
                 "them again.",
             .source = "Shi et al. 2024, arXiv 2409.17422",
             .queryAgnostic = true,
             .parameters =
                 {{"layer",
                   "layer that chooses, counted from 0; -1: near the middle; 0: by trial (layer)",
                   -1, 1023, -1},
                  {"select", "tokens an answer is made from, question included (tokens)", 16,
                   1 << 20, 1024},
                  {"kernel", "neighbours pooled together, odd (tokens)", 1, 63, 5},
                  {.key = "mode",
                   .description = "when tokens are chosen: anew for each question, or once for the "
                                  "question given with --question, read again (single-turn) or "
                                  "not (one-run)",
                   .minimum = 0,
                   .maximum = 2,
                   .defaultValue = 0,
                   .words = {"multi-turn", "single-turn", "one-run"}}},
             .usesKeep = false},
        .make = makeMethod,
        .keepsPinned = false,
        .answer = answerFrom};
}

} // namespace engine
