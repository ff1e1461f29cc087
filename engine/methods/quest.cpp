// Quest (Tang et al. 2024, arXiv 2406.10774; selection.md 3.8): everything is kept, and each
// generated token reads only the pages that can matter to it, judged by an upper bound of its
// products with their keys. Saves reading, not memory. The rows of a question are dense, as in the
// reference.
//
// Deviations: a page is a page of the store, 64 rows instead of 16; the heads of a group read the
// same pages, chosen by the best bound among them.

#include "engine/dialog/context.h"
#include "engine/methods/answering.h"
#include "engine/methods/method.h"
#include "engine/methods/page_bounds.h"
#include "engine/model/model.h"

#include <algorithm>

namespace engine {
namespace {

constexpr auto kPage = static_cast<std::uint32_t>(kernels::kPageRows);

class QuestAnswer final : public AnswerMethod
{
public:
    QuestAnswer(const KvStore& store, std::uint32_t budgetPages, std::uint32_t denseLayers)
        : m_budget(budgetPages)
        , m_denseLayers(std::min(denseLayers, store.shape().layers))
        , m_bounds(std::size_t{store.shape().layers - m_denseLayers} * store.shape().kvHeads,
                   PageBounds(store.shape().headDim))
    {
        addFullPages(store);
    }

    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<QuestAnswer>(*this);
    }

    void onQueries(const LayerStep& step, std::span<const float> query) override
    {
        if (chooses(step))
            m_query.assign(query.begin(), query.end());
    }

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        const KvShape shape = step.store->shape();
        const std::uint32_t pages = (step.store->list(step.layer, 0).length() + kPage - 1) / kPage;
        if (!chooses(step) || pages <= m_budget)
            return;
        const std::size_t groupFloats = m_query.size() / shape.kvHeads;
        Segment segment;
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            const auto queries = std::span(m_query).subspan(head * groupFloats, groupFloats);
            segment.pages.push_back(choosePages(boundsOf(shape, step.layer, head), queries,
                                                shape.headDim, pages, m_budget));
            const std::uint32_t inLastPage =
                step.store->list(step.layer, head).length() - (pages - 1) * kPage;
            segment.visible.push_back({0, (m_budget - 1) * kPage + inLastPage});
        }
        segments.push_back(std::move(segment));
    }

    /// What was chosen for one row holds for that row alone, also when it is read again.
    std::size_t rowsPerJob(Role role) const override
    {
        return role == Role::Generated ? 1 : AnswerMethod::rowsPerJob(role);
    }

    void afterJob(const Job& /*job*/, KvStore& store) override { addFullPages(store); }

private:
    bool chooses(const LayerStep& step) const
    {
        return step.rows.size() == 1 && step.layer >= m_denseLayers &&
               step.job->role == Role::Generated;
    }

    PageBounds& boundsOf(const KvShape& shape, std::uint32_t layer, std::uint32_t head)
    {
        return m_bounds[std::size_t{layer - m_denseLayers} * shape.kvHeads + head];
    }

    /// The last page has no bounds until it is full: it is always read.
    void addFullPages(const KvStore& store)
    {
        const KvShape shape = store.shape();
        std::vector<float> keys(std::size_t{kPage} * shape.headDim);
        for (std::uint32_t layer = m_denseLayers; layer < shape.layers; ++layer) {
            for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
                const KvList& list = store.list(layer, head);
                PageBounds& bounds = boundsOf(shape, layer, head);
                for (auto page = static_cast<std::uint32_t>(bounds.pages());
                     page < list.length() / kPage; ++page) {
                    list.readKeys(keys, page * kPage, shape.headDim);
                    bounds.addPage(keys);
                }
            }
        }
    }

    std::uint32_t m_budget;           // pages, the last one among them
    std::uint32_t m_denseLayers;      // lowest layers, which attend to many places
    std::vector<PageBounds> m_bounds; // [layer - m_denseLayers][head]
    std::vector<float> m_query;       // of the row being generated, (heads, headDim), after RoPE
};

/// Settings come from a file. Throws Damaged.
std::uint32_t settingOf(const Context& context, const char* key, double smallest)
{
    const auto setting = context.info().settings.find(key);
    if (setting == context.info().settings.end() || !(setting->second >= smallest)) {
        throw Error(ErrorCode::Damaged, "The prepared document is damaged (" + std::string(key) +
                                            "). Prepare the document again.");
    }
    return static_cast<std::uint32_t>(std::min(setting->second, 1e9));
}

std::unique_ptr<AnswerMethod> makeAnswer(const Context& context)
{
    const KvStore& store = context.store();
    if (!store.holdsAllRows()) {
        throw Error(ErrorCode::Damaged, "The prepared document is damaged (list length). "
                                        "Prepare the document again.");
    }
    return std::make_unique<QuestAnswer>(store, settingOf(context, "pages", 1),
                                         settingOf(context, "dense", 0));
}

} // namespace

MethodEntry questMethod()
{
    MethodEntry entry = fullMethod();
    entry.info = {
        .id = "quest",
        .title = "Only the pages that matter (Quest)",
        .description = "Keeps everything, and reads for each word of an answer only the parts that "
                       "can matter to it. Faster answers, no memory saved.",
        .source = "Tang et al. 2024, arXiv 2406.10774",
        .queryAgnostic = true,
        .parameters = {{"pages", "pages of 64 tokens that each word of an answer reads", 1, 1 << 20,
                        32},
                       {"dense", "lowest layers that read everything (layers)", 0, 1024, 2}},
        .usesKeep = false};
    entry.answer = [](const Context& context, LoadedModel&) { return makeAnswer(context); };
    return entry;
}

} // namespace engine
