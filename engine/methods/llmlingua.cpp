// LLMLingua, coarse (Jiang et al. 2023, arXiv 2310.05736), with the same model for judging and
// reading: a first pass measures how surprising each token is, the sentences with the highest mean
// stay, and what stays is read again as a shorter text. selection.md 3.11: with the left context of
// the whole document, whole sentences, and an exact budget.
//
// Rows of the judging pass are dropped before the reading; in the end every kept row has the number
// of its document token, so that pages and pictures find it.

#include "engine/kv/byte_stream.h"
#include "engine/methods/block_plan.h"
#include "engine/methods/competition.h"
#include "engine/methods/second_reading.h"
#include "engine/methods/surprisal.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

/// The logits of a block are held at once, so it has fewer rows than others: 256 rows of a
/// vocabulary of 152,000 are 156 MB.
constexpr std::uint32_t kJudgedRows = 256;

DocumentPlan judgingPlan(DocumentPlan plan)
{
    plan.blockRows = std::min(plan.blockRows, kJudgedRows);
    return plan;
}

class LlmlinguaMethod final : public Method
{
public:
    explicit LlmlinguaMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_judgingPlan(judgingPlan(plan))
        , m_judging(m_judgingPlan, 1)
        , m_wholeReading(m_plan, 1)
        , m_secondReading(m_plan)
    {
        if (selects())
            m_surprisals.resize(plan.documentRows());
    }

    std::optional<Job> nextJob(const KvStore& /*store*/) override
    {
        if (!selects())
            return m_wholeReading.next();
        if (auto job = m_judging.next()) {
            job->phase = "Judging";
            job->logits = LogitRows::All;
            return job;
        }
        return m_secondReading.next();
    }

    void onJobResult(const Job& job, const JobResult& result) override
    {
        if (job.logits != LogitRows::All)
            return;
        for (std::uint32_t row = firstJudged(job); row < rowsJudged(); ++row) {
            // The row before a token predicts it; the text's very first token is predicted by none.
            const std::uint32_t target = row + 1;
            if (target < m_plan.prefixRows() || target >= m_plan.totalRows())
                continue;
            const std::span<const float> logits = result.logits;
            const std::uint32_t token = target - m_plan.prefixRows();
            m_surprisals[token] = surprisal(
                logits.subspan(std::size_t{row - firstJudged(job)} * m_plan.vocabularySize,
                               m_plan.vocabularySize),
                m_plan.document[token]);
        }
    }

    std::vector<std::byte> jobState() const override
    {
        if (!judges())
            return {};
        ByteWriter writer;
        writer.putArray(std::span<const float>(m_surprisals));
        return writer.take();
    }

    void restoreJobState(const Job& job, std::span<const std::byte> state) override
    {
        if (job.logits != LogitRows::All)
            return;
        ByteReader reader(state, "The saved progress of LLMLingua");
        auto surprisals = reader.getArray<float>("surprisals");
        reader.expectEnd();
        if (surprisals.size() != m_surprisals.size())
            reader.fail("surprisals");
        m_surprisals = std::move(surprisals);
    }

    void onJobEnd(const Job& job, KvStore& store) override
    {
        m_done += static_cast<std::uint32_t>(job.tokens.size());
        if (!selects())
            return;
        if (job.logits == LogitRows::All) {
            if (m_judging.finished())
                choose(store);
            return;
        }
        m_secondReading.onJobEnd(job, store);
    }

    double totalCost() const override
    {
        return m_plan.totalRows() + (selects() ? m_plan.prefixRows() + m_plan.keptPerHead() : 0.0);
    }
    double doneCost() const override { return m_done; }
    std::size_t scoreBytes() const override { return m_surprisals.capacity() * sizeof(float); }

    std::vector<std::string> warnings() const override
    {
        const auto errors =
            std::ranges::count_if(m_surprisals, [](float s) { return std::isnan(s); });
        if (errors == 0)
            return {};
        return {scoreErrorSentence("llmlingua", static_cast<std::uint64_t>(errors),
                                   m_surprisals.size())};
    }

private:
    bool selects() const { return m_plan.keptPerHead() < m_plan.documentRows(); }
    bool judges() const { return selects() && !m_secondReading.hasBegun(); }
    std::uint32_t rowsJudged() const { return m_judging.rowsHandedOut(); }
    std::uint32_t firstJudged(const Job& job) const
    {
        return rowsJudged() - static_cast<std::uint32_t>(job.tokens.size());
    }

    void choose(KvStore& store)
    {
        const auto longest = static_cast<std::uint32_t>(m_plan.setting("sentence"));
        const auto segments =
            segmentsOfText(m_plan.documentRows(), longest,
                           [this](std::uint32_t token) { return m_plan.text(token, token + 1); });
        std::vector<std::uint32_t> kept(m_plan.prefixRows());
        std::iota(kept.begin(), kept.end(), 0U);
        for (const std::uint32_t token :
             mostSurprising(m_surprisals, segments, m_plan.keptPerHead()))
            kept.push_back(m_plan.prefixRows() + token);
        m_secondReading.begin(std::move(kept), store);
    }

    DocumentPlan m_plan;
    DocumentPlan m_judgingPlan;
    BlockPlan m_judging;
    BlockPlan m_wholeReading; // when all of the text stays
    SecondReading m_secondReading;
    std::vector<float> m_surprisals; // of each document token
    std::uint32_t m_done = 0;        // rows of both passes
};

} // namespace

MethodEntry llmlinguaMethod()
{
    MethodEntry entry;
    entry.info = {
        .id = "llmlingua",
        .title = "Surprising sentences (LLMLingua)",
        .description = "Reads twice: first to find the sentences that the model could not foresee, "
                       "then those alone, as a shorter text.",
        .source = "Jiang et al. 2023, arXiv 2310.05736",
        .queryAgnostic = true,
        .parameters = {{"sentence", "longest piece that is kept or dropped whole (tokens)", 1, 4096,
                        200}},
        .extraPasses = 1};
    entry.make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
        return std::make_unique<LlmlinguaMethod>(plan);
    };
    return entry;
}

} // namespace engine
