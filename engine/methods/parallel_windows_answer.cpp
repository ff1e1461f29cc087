#include "engine/methods/parallel_windows_answer.h"

#include "engine/methods/recent_window.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace engine {
namespace {

/// Logits that are held at once: 16 MiB.
constexpr std::size_t kMostLogits = std::size_t{4} << 20U;

/// Against the divergence, in nats as well: of 1, 2, 4 and 8 the best over 672 questions
/// (resources/models/training/window_choice.py).
constexpr double kWeightOfAgreement = 2;

/// log of the sum of e^logit.
double logSum(std::span<const float> logits)
{
    const double most = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float logit : logits)
        sum += std::exp(logit - most);
    return most + std::log(sum);
}

/// The turn at the end of a job, from `position` on.
void appendTurn(Job& job, std::span<const std::int32_t> turn, std::int32_t position)
{
    job.role = Role::Query;
    job.tokens.insert(job.tokens.end(), turn.begin(), turn.end());
    job.positions.resize(job.tokens.size());
    std::iota(job.positions.end() - static_cast<std::ptrdiff_t>(turn.size()), job.positions.end(),
              position);
}

/// A job of copies of one turn, each of which sees a window of its own and no other copy.
class CopiesOfTurn final : public Hooks
{
public:
    /// `windows` outlive this; copy i sees window first + i. All copies have turnRows rows.
    CopiesOfTurn(const ParallelWindows& windows, std::uint32_t first, std::size_t turnRows)
        : m_windows(windows)
        , m_first(first)
        , m_turnRows(static_cast<std::uint32_t>(turnRows))
    {}

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        const auto rows = static_cast<std::uint32_t>(step.rows.size());
        const std::uint32_t before = step.store->list(step.layer, 0).length() - rows;
        const std::uint32_t behind = m_windows.rows(m_windows.count() - 1).end;
        if (m_windows.prefix > 0)
            segments.push_back(visibleToAll(step, {0, m_windows.prefix}));
        if (before > behind)
            segments.push_back(visibleToAll(step, {behind, before})); // earlier questions
        Segment window;
        Segment own;
        const std::uint32_t kvHeads = step.store->shape().kvHeads;
        for (std::uint32_t row = 0; row < rows; ++row) {
            const std::uint32_t copy = row / m_turnRows;
            const kernels::EntryRange upToRow{before + copy * m_turnRows, before + row + 1};
            window.visible.insert(window.visible.end(), kvHeads, m_windows.rows(m_first + copy));
            own.visible.insert(own.visible.end(), kvHeads, upToRow);
        }
        segments.push_back(std::move(window));
        segments.push_back(std::move(own));
    }

private:
    const ParallelWindows& m_windows;
    std::uint32_t m_first;
    std::uint32_t m_turnRows;
};

} // namespace

void ParallelWindowsAnswer::keepBest(std::vector<Candidate>& candidates, std::size_t count)
{
    // What is no number is worth least.
    const auto rank = [](const Candidate& candidate) {
        return std::isnan(candidate.worth) ? -std::numeric_limits<double>::infinity()
                                           : candidate.worth;
    };
    std::ranges::stable_sort(candidates, std::greater<>(), rank);
    if (candidates.size() > count)
        candidates.resize(count);
}

Segment visibleToAll(const LayerStep& step, kernels::EntryRange entries)
{
    Segment segment;
    segment.visible.assign(step.rows.size() * step.store->shape().kvHeads, entries);
    return segment;
}

double divergence(std::span<const float> logitsOfP, std::span<const float> logitsOfQ)
{
    assert(!logitsOfP.empty() && logitsOfP.size() == logitsOfQ.size());
    const double sumOfP = logSum(logitsOfP);
    const double sumOfQ = logSum(logitsOfQ);
    double total = 0;
    for (std::size_t i = 0; i < logitsOfP.size(); ++i) {
        const double log = logitsOfP[i] - sumOfP;
        total += std::exp(log) * (log - (logitsOfQ[i] - sumOfQ));
    }
    return total;
}

double agreement(std::span<const float> logitsOfP, std::span<const float> logitsOfQ)
{
    assert(!logitsOfP.empty() && logitsOfP.size() == logitsOfQ.size());
    std::vector<float> sums(logitsOfP.size());
    std::ranges::transform(logitsOfP, logitsOfQ, sums.begin(), std::plus<>());
    return logSum(sums) - logSum(logitsOfP) - logSum(logitsOfQ);
}

ParallelWindowsAnswer::ParallelWindowsAnswer(Transformer& transformer,
                                             std::shared_ptr<const ParallelWindows> windows,
                                             std::uint32_t best, std::uint32_t together,
                                             std::size_t blockRows)
    : m_transformer(&transformer)
    , m_windows(std::move(windows))
    , m_best(best)
    , m_together(together)
    , m_blockRows(blockRows)
    , m_chosen(m_windows->count())
{
    std::iota(m_chosen.begin(), m_chosen.end(), 0U);
}

void ParallelWindowsAnswer::segments(const LayerStep& step, std::vector<Segment>& segments)
{
    if (m_chosen.size() == m_windows->count())
        return;
    if (m_windows->prefix > 0)
        segments.push_back(visibleToAll(step, {0, m_windows->prefix}));
    for (const std::uint32_t window : m_chosen)
        segments.push_back(visibleToAll(step, m_windows->rows(window)));
    const std::uint32_t behind = m_windows->rows(m_windows->count() - 1).end;
    segments.push_back(recentSegment(step, behind, kUnlimited));
}

std::vector<float> ParallelWindowsAnswer::readOnce(std::span<const std::int32_t> turn,
                                                   KvStore& store, const std::stop_token& stop)
{
    const KvStore::Mark mark = store.mark();
    std::vector<float> last;
    for (std::size_t begin = 0; begin < turn.size(); begin += m_blockRows) {
        const auto part = turn.subspan(begin, std::min(m_blockRows, turn.size() - begin));
        Job job;
        appendTurn(job, part, store.nextPosition());
        job.logits = begin + part.size() == turn.size() ? LogitRows::Last : LogitRows::None;
        last = m_transformer->run(std::move(job), store, *this, stop).logits;
    }
    store.truncate(mark);
    return last;
}

void ParallelWindowsAnswer::readEach(
    std::span<const std::int32_t> turn, KvStore& store, LogitRows logits,
    const std::function<void(std::uint32_t window, std::span<const float> logits)>& take,
    const std::stop_token& stop)
{
    const std::size_t wanted = logits == LogitRows::All ? turn.size() : 1;
    const std::size_t floats = wanted * m_transformer->config().vocabularySize;
    const std::size_t atOnce =
        std::max<std::size_t>(1, std::min(m_blockRows / turn.size(), kMostLogits / floats));
    const std::uint32_t count = m_windows->count();
    for (std::uint32_t first = 0; first < count; first += static_cast<std::uint32_t>(atOnce)) {
        const auto end = static_cast<std::uint32_t>(std::min<std::size_t>(first + atOnce, count));
        Job job;
        for (std::uint32_t window = first; window < end; ++window) {
            appendTurn(job, turn, store.nextPosition());
            job.logitRows.push_back(static_cast<std::uint32_t>(job.tokens.size() - 1));
        }
        job.logits = logits;
        job.keepsKv = false;
        CopiesOfTurn copies(*m_windows, first, turn.size());
        const auto result = m_transformer->run(std::move(job), store, copies, stop);
        for (std::uint32_t window = first; window < end; ++window)
            take(window, std::span(result.logits).subspan((window - first) * floats, floats));
    }
}

void ParallelWindowsAnswer::readFrom(std::span<const Candidate> candidates)
{
    m_chosen.clear();
    for (const Candidate& candidate : candidates)
        m_chosen.push_back(candidate.window);
    std::ranges::sort(m_chosen);
}

void ParallelWindowsAnswer::beforeQuestion(std::span<const std::int32_t> turn, KvStore& store,
                                           const std::stop_token& stop)
{
    if (readsAll() || turn.empty())
        return;
    const std::size_t compared = std::max(m_together, m_best);
    m_chosen.clear();
    const std::vector<float> without = readOnce(turn, store, stop);
    std::vector<Candidate> candidates;
    readEach(
        turn, store, LogitRows::Last,
        [&](std::uint32_t window, std::span<const float> logits) {
            candidates.push_back(
                {window, divergence(without, logits), {logits.begin(), logits.end()}});
            keepBest(candidates, compared);
        },
        stop);
    if (compared > m_best) {
        readFrom(candidates);
        const std::vector<float> together = readOnce(turn, store, stop);
        for (Candidate& candidate : candidates)
            candidate.worth += kWeightOfAgreement * agreement(together, candidate.logits);
    }
    keepBest(candidates, m_best);
    readFrom(candidates);
}

bool ParallelWindowsAnswer::takeExchange(std::span<const std::int32_t> exchange, KvStore& store,
                                         const std::stop_token& stop)
{
    if (readsAll() || exchange.size() < 2)
        return false;
    std::vector<Candidate> candidates;
    readEach(
        exchange, store, LogitRows::All,
        [&](std::uint32_t window, std::span<const float> logits) {
            const std::size_t vocabulary = logits.size() / exchange.size();
            double likelihood = 0;
            for (std::size_t row = 0; row + 1 < exchange.size(); ++row) {
                const auto of = logits.subspan(row * vocabulary, vocabulary);
                likelihood += of[static_cast<std::size_t>(exchange[row + 1])] - logSum(of);
            }
            candidates.push_back({window, likelihood, {}});
        },
        stop);
    keepBest(candidates, m_best);
    readFrom(candidates);
    return false; // it is read with them like a question
}

} // namespace engine
