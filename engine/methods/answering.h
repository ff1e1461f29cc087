#pragma once

#include "engine/kv/kv_store.h"
#include "engine/run/hooks.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>

namespace engine {

/// A method at work while questions are answered (structural.md 7.3, hooks h1 to h9). The rows of
/// questions and answers run through these hooks, and after each job the method may edit the
/// store. One object belongs to one conversation; its store is a copy, so it may drop or replace
/// whatever it likes. What it remembers must be in its copies, too: a conversation goes back to an
/// earlier state by taking back an earlier copy of store and method.
class AnswerMethod : public Hooks
{
public:
    /// A copy with everything that is remembered; should share what is large.
    virtual std::unique_ptr<AnswerMethod> clone() const = 0;

    /// Before the rows of a turn (question and chat template) are read. May replace the store, into
    /// which the turn is then read at KvStore::nextPosition(). Throws Cancelled on a stop.
    virtual void beforeQuestion(std::span<const std::int32_t> /*turn*/, KvStore& /*store*/,
                                const std::stop_token& /*stop*/)
    {}

    /// An exchange of a stored conversation, question and answer in one, for which nobody waits.
    /// True when the method took it in itself; otherwise it is read like a question.
    virtual bool takeExchange(std::span<const std::int32_t> /*exchange*/, KvStore& /*store*/,
                              const std::stop_token& /*stop*/)
    {
        return false;
    }

    /// The most tokens that the next job of this role (Query or Generated) may have. Answers are
    /// made one token a job; this also holds when they are read again for their evidence.
    virtual std::size_t rowsPerJob(Role /*role*/) const
    {
        return std::numeric_limits<std::size_t>::max();
    }

    /// h8: after a job, given as it was before h1; may drop, turn or compact entries.
    virtual void afterJob(const Job& /*job*/, KvStore& /*store*/) {}

    /// h9: the position that the conversation has come to, which has to stay within the model's
    /// window.
    virtual std::int32_t nextPosition(const KvStore& store) const { return store.nextPosition(); }

    /// For each row of the store behind the prefix the document token that it is, up to the last
    /// such row; nothing when the rows are those of the context.
    virtual std::optional<std::span<const std::uint32_t>> tokenOfRow() const
    {
        return std::nullopt;
    }
};

/// Causal attention to everything that is stored.
class PlainAnswer final : public AnswerMethod
{
public:
    std::unique_ptr<AnswerMethod> clone() const override { return std::make_unique<PlainAnswer>(); }
};

} // namespace engine
