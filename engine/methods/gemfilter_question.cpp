// GemFilter as it was published, for one question (Shi et al. 2024, arXiv 2409.17422, algorithm 1),
// and its One-Run ablation; selection.md 3.1. The question runs through the lower layers behind the
// document, votes, and is taken away again: it is read anew when it is asked. So the ablation's
// first token is not the dense one, as it is where the answer follows from the same reading.

#include "engine/methods/gemfilter_question.h"

#include "engine/kv/byte_stream.h"
#include "engine/methods/block_plan.h"
#include "engine/methods/competition.h"
#include "engine/methods/second_reading.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

class QuestionFilterMethod final : public Method
{
public:
    QuestionFilterMethod(const DocumentPlan& plan, const QuestionFilter& filter)
        : m_plan(plan)
        , m_filter(filter)
        , m_turn(plan.turn(plan.question))
        , m_blocks(m_plan, 1)
        , m_secondReading(m_plan)
    {
        if (!selects())
            return;
        checkFilterQuota(plan.prefix.size(), m_turn.size(), filter.quota);
        if (plan.totalRows() + m_turn.size() > plan.contextLength) {
            throw Error(ErrorCode::TooLarge,
                        "The document and the question have " +
                            std::to_string(plan.totalRows() + m_turn.size()) +
                            " tokens, but the window has " + std::to_string(plan.contextLength) +
                            ". Ask a shorter question, or stretch the window with rope scaling "
                            "(--set rope=yarn).");
        }
    }

    std::optional<Job> nextJob(const KvStore& /*store*/) override
    {
        if (auto job = m_blocks.next()) {
            if (selectsAndReadsAgain()) {
                job->phase = "Filtering";
                job->layerEnd = m_filter.layer.layer + 1;
                job->wantsHidden = false;
            }
            return job;
        }
        if (selects() && !m_hasChosen)
            return questionJob();
        return m_secondReading.next();
    }

    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        if (step.job->role == Role::Probe && step.layer == m_filter.layer.layer)
            m_votes = filterVotes(step, scorer);
    }

    std::vector<std::byte> jobState() const override
    {
        if (m_votes.empty() || m_hasChosen)
            return {};
        ByteWriter writer;
        writer.putArray(std::span<const float>(m_votes));
        return writer.take();
    }

    void restoreJobState(const Job& job, std::span<const std::byte> state) override
    {
        if (job.role != Role::Probe)
            return;
        ByteReader reader(state, "The saved progress of GemFilter");
        m_votes = reader.getArray<float>("votes");
        reader.expectEnd();
        if (m_votes.size() != m_plan.totalRows() + m_turn.size())
            reader.fail("votes");
    }

    void onJobEnd(const Job& job, KvStore& store) override
    {
        if (job.role == Role::Probe) {
            choose(store);
            return;
        }
        m_read = m_blocks.rowsHandedOut();
        if (m_secondReading.hasBegun())
            m_secondReading.onJobEnd(job, store);
    }

    double totalCost() const override
    {
        return share() * m_blocks.costUpTo(m_plan.totalRows()) + m_blocks.costUpTo(rowsAgain());
    }
    double doneCost() const override
    {
        return share() * m_blocks.costUpTo(m_read) + m_blocks.costUpTo(m_secondReading.rowsRead());
    }
    std::size_t scoreBytes() const override { return m_votes.capacity() * sizeof(float); }

    std::vector<std::string> warnings() const override
    {
        const auto errors = std::ranges::count_if(m_votes, [](float v) { return std::isnan(v); });
        auto sentences = filterLayerWarnings(m_filter.layer);
        if (errors > 0)
            sentences.push_back(scoreErrorSentence("gemfilter", static_cast<std::uint64_t>(errors),
                                                   m_votes.size()));
        return sentences;
    }

private:
    bool selects() const { return m_filter.quota.select < m_plan.totalRows() + m_turn.size(); }
    /// Whether the first reading ends below the top: the second one fills the layers above.
    bool selectsAndReadsAgain() const { return selects() && m_filter.readsAgain; }
    /// Of the layers, that the document runs through.
    double share() const
    {
        return selectsAndReadsAgain() ? (m_filter.layer.layer + 1.0) / m_plan.layers : 1.0;
    }
    std::uint32_t rowsAgain() const
    {
        return selectsAndReadsAgain()
                   ? m_filter.quota.select - static_cast<std::uint32_t>(m_turn.size())
                   : 0;
    }

    Job questionJob() const
    {
        Job job;
        job.phase = "Choosing";
        job.role = Role::Probe;
        job.keepsKv = false;
        job.tokens = m_turn;
        job.positions.resize(m_turn.size());
        std::iota(job.positions.begin(), job.positions.end(),
                  static_cast<std::int32_t>(m_plan.totalRows()));
        job.layerEnd = m_filter.layer.layer + 1;
        job.wantsHidden = false;
        return job;
    }

    void choose(KvStore& store)
    {
        m_hasChosen = true;
        auto rows = rowsForQuestion(m_votes, m_plan.prefix.size(), m_turn.size(), m_filter.quota);
        if (m_filter.readsAgain) {
            m_secondReading.begin(std::move(rows), store);
            return;
        }
        for (std::uint32_t layer = 0; layer < m_plan.layers; ++layer) {
            for (std::uint32_t head = 0; head < m_plan.kvHeads; ++head)
                store.list(layer, head).keep(rows, m_plan.headDim);
        }
    }

    DocumentPlan m_plan;
    QuestionFilter m_filter;
    std::vector<std::int32_t> m_turn;
    BlockPlan m_blocks;
    SecondReading m_secondReading;
    std::vector<float> m_votes; // of every row, the question's at the end
    bool m_hasChosen = false;
    std::uint32_t m_read = 0; // rows of the first reading
};

} // namespace

void requireQuestion(const DocumentPlan& plan)
{
    if (plan.question.find_first_not_of(" \t\r\n") != std::string::npos)
        return;
    throw Error(ErrorCode::BadInput,
                "With the setting mode at single-turn or one-run, GemFilter chooses tokens for one "
                "question while it reads. Give that question (--question), or leave the setting at "
                "multi-turn, which chooses anew for each.");
}

std::unique_ptr<Method> makeQuestionFilter(const DocumentPlan& plan, const QuestionFilter& filter)
{
    return std::make_unique<QuestionFilterMethod>(plan, filter);
}

} // namespace engine
