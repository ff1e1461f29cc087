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

/// Rows of one job, which bounds its buffers.
constexpr std::size_t kBlockRows = 512;

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
                                             std::uint32_t best, std::uint32_t together)
    : m_transformer(&transformer)
    , m_windows(std::move(windows))
    , m_best(best)
    , m_together(together)
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
                                                   KvStore& store, LogitRows logits,
                                                   const std::stop_token& stop)
{
    const KvStore::Mark mark = store.mark();
    std::vector<float> all;
    for (std::size_t begin = 0; begin < turn.size(); begin += kBlockRows) {
        const auto part = turn.subspan(begin, std::min(kBlockRows, turn.size() - begin));
        const bool isLast = begin + part.size() == turn.size();
        Job job;
        job.tokens.assign(part.begin(), part.end());
        job.positions.resize(part.size());
        std::iota(job.positions.begin(), job.positions.end(), store.nextPosition());
        job.role = Role::Query;
        job.logits = isLast || logits == LogitRows::All ? logits : LogitRows::None;
        const auto result = m_transformer->run(std::move(job), store, *this, stop);
        all.insert(all.end(), result.logits.begin(), result.logits.end());
    }
    store.truncate(mark);
    return all;
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
    const std::vector<float> without = readOnce(turn, store, LogitRows::Last, stop);
    std::vector<Candidate> candidates;
    for (std::uint32_t window = 0; window < m_windows->count(); ++window) {
        m_chosen = {window};
        std::vector<float> logits = readOnce(turn, store, LogitRows::Last, stop);
        const double worth = divergence(without, logits);
        candidates.push_back({window, worth, std::move(logits)});
        keepBest(candidates, compared);
    }
    if (compared > m_best) {
        readFrom(candidates);
        const std::vector<float> together = readOnce(turn, store, LogitRows::Last, stop);
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
    for (std::uint32_t window = 0; window < m_windows->count(); ++window) {
        m_chosen = {window};
        const std::vector<float> logits = readOnce(exchange, store, LogitRows::All, stop);
        const std::size_t vocabulary = logits.size() / exchange.size();
        double likelihood = 0;
        for (std::size_t row = 0; row + 1 < exchange.size(); ++row) {
            const auto of = std::span(logits).subspan(row * vocabulary, vocabulary);
            likelihood += of[static_cast<std::size_t>(exchange[row + 1])] - logSum(of);
        }
        candidates.push_back({window, likelihood, {}});
    }
    keepBest(candidates, m_best);
    readFrom(candidates);
    return false; // it is read with them like a question
}

} // namespace engine
