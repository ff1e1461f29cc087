// KVzip's context-independent form (Kim et al. 2025, arXiv 2505.23416): heads differ in what they
// are worth whatever the text, so a head's score is the largest that any token of a sample has, and
// the worst heads lose the whole document; structural.md 6.1, "head". With a head table nothing has
// to be scored while reading.

#include "engine/methods/head_scores.h"

namespace engine {
namespace {

class KvzipHeadMethod final : public HeadMethod
{
public:
    explicit KvzipHeadMethod(const DocumentPlan& plan)
        : HeadMethod(plan, "kvzip-head")
        , m_whole(selects() ? wholeHeads(plan.pinnedRows(), "pin fewer pages") : 0)
    {}

private:
    void finish(KvStore& store) override
    {
        cutHeads(store, bestHeads(headScores(), m_whole), alwaysKept());
    }

    std::uint64_t m_whole;
};

} // namespace

MethodEntry kvzipHeadMethod()
{
    return {.info = {.id = "kvzip-head",
                     .title = "Whole heads (KVzip, head level)",
                     .description =
                         "Keeps everything in the heads that repeating a text needs most and "
                         "nothing in the others, whatever you ask later. With a head table as "
                         "quick as reading alone. Keep about 0.6.",
                     .source = "Kim et al. 2025, arXiv 2505.23416",
                     .queryAgnostic = true,
                     .parameters = headParameters(),
                     .extraPasses = 1},
            .make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<KvzipHeadMethod>(plan);
            },
            .composition = Composition::Closed,
            .keepsPinned = true,
            .takesHeadTable = true};
}

} // namespace engine
