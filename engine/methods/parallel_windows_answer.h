#pragma once

#include "engine/methods/answering.h"
#include "engine/methods/parallel_windows.h"
#include "engine/run/transformer.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace engine {

/// A segment that shows the same entries to every row and head.
Segment visibleToAll(const LayerStep& step, kernels::EntryRange entries);

/// Divergence of one distribution of the next token from another, both as logits:
/// sum of p * (log p - log q), in nats. Empty or different lengths are not allowed.
double divergence(std::span<const float> logitsOfP, std::span<const float> logitsOfQ);

/// How much two distributions of the next token, both as logits, agree: log of the sum of p * q,
/// the probability that two draws are the same. Empty or different lengths are not allowed.
double agreement(std::span<const float> logitsOfP, std::span<const float> logitsOfQ);

/// Answers from the windows that say most about a question. The question is put to every window on
/// its own, and once to none. What a model says without a document is what it says of a window that
/// does not help ("That is not in this document.", or a guess), so those windows count that move
/// the first token of the answer farthest from it: divergence(without, with). The two distributions
/// are those of context-aware decoding (Shi et al. 2024, arXiv 2305.14739, section 2.1).
///
/// A window with something like what is asked for ("the key to room 12") is moved as far as the one
/// that has it, since nothing better competes there for its attention. So the windows that count
/// most are then read together, where they do compete, and what counts in the end is the divergence
/// and twice how well a window agrees with them about the answer's first token.
///
/// Earlier questions and answers are seen as they were read, each from its own windows.
///
/// Many windows are asked in one job, with a copy of the question for each: weights are unpacked
/// and pages are listed once for all of them.
class ParallelWindowsAnswer final : public AnswerMethod
{
public:
    /// Rows of one job, which bounds its buffers.
    static constexpr std::size_t kBlockRows = 512;

    /// `best` windows of all are read for an answer; 0: all. `together` are compared with each
    /// other to find them; where that is not more than `best`, each is judged alone. `blockRows`
    /// are read at once, or as many as one question has. The transformer outlives this.
    ParallelWindowsAnswer(Transformer& transformer, std::shared_ptr<const ParallelWindows> windows,
                          std::uint32_t best, std::uint32_t together,
                          std::size_t blockRows = kBlockRows);

    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<ParallelWindowsAnswer>(*this);
    }

    void segments(const LayerStep& step, std::vector<Segment>& segments) override;

    void beforeQuestion(std::span<const std::int32_t> turn, KvStore& store,
                        const std::stop_token& stop) override;

    /// The windows are those under which the whole exchange is most likely.
    bool takeExchange(std::span<const std::int32_t> exchange, KvStore& store,
                      const std::stop_token& stop) override;

    /// The windows that the question is answered from, ascending.
    std::span<const std::uint32_t> chosen() const { return m_chosen; }

private:
    struct Candidate
    {
        std::uint32_t window = 0;
        double worth = 0;          // nats
        std::vector<float> logits; // of an answer's first token from this window alone
    };

    /// At most `count`, in the order of their worth, of equal ones the earlier first.
    static void keepBest(std::vector<Candidate>& candidates, std::size_t count);

    bool readsAll() const { return m_best == 0 || m_best >= m_windows->count(); }
    /// Logits of the turn's last row as seen with the chosen windows; leaves the store as it was.
    std::vector<float> readOnce(std::span<const std::int32_t> turn, KvStore& store,
                                const std::stop_token& stop);
    /// Puts the turn to every window on its own and hands out the logits of its last row or of all
    /// of them, (rows, vocabulary), window by window; leaves the store as it was.
    void
    readEach(std::span<const std::int32_t> turn, KvStore& store, LogitRows logits,
             const std::function<void(std::uint32_t window, std::span<const float> logits)>& take,
             const std::stop_token& stop);
    /// What is read next sees the windows of all these.
    void readFrom(std::span<const Candidate> candidates);

    Transformer* m_transformer;
    std::shared_ptr<const ParallelWindows> m_windows;
    std::uint32_t m_best;
    std::uint32_t m_together;
    std::size_t m_blockRows;
    std::vector<std::uint32_t> m_chosen;
};

} // namespace engine
