#pragma once

#include "engine/methods/answering.h"
#include "engine/model/model.h"

#include <memory>
#include <span>
#include <stop_token>
#include <vector>

namespace engine {

/// What a conversation has read behind its document: a store of its own and the method at work on
/// it.
class Tail
{
public:
    /// `prepared` is copied without its pages; the model outlives the tail.
    /// `window` is the number of positions that there are in all.
    Tail(LoadedModel& model, KvStore prepared, std::uint64_t window,
         std::unique_ptr<AnswerMethod> method);

    /// Reads tokens and returns the logits after the last one, if they are wanted. `hooks` is the
    /// method itself or goes around it.
    std::vector<float> read(std::span<const std::int32_t> tokens, Role role, LogitRows logits,
                            Hooks& hooks, const std::stop_token& stop);
    std::vector<float> read(std::span<const std::int32_t> tokens, Role role, LogitRows logits,
                            const std::stop_token& stop);

    /// Tokens that still fit the window.
    std::uint64_t left() const;

    KvStore& store() { return m_store; }
    const KvStore& store() const { return m_store; }
    AnswerMethod& method() { return *m_method; }

    /// A state to go back to, whatever has been dropped or replaced since.
    struct Snapshot
    {
        KvStore store;
        std::unique_ptr<AnswerMethod> method;
    };
    Snapshot snapshot() const { return {m_store, m_method->clone()}; }
    void goBack(Snapshot snapshot);

private:
    LoadedModel& m_model;
    KvStore m_store;
    std::uint64_t m_window;
    std::unique_ptr<AnswerMethod> m_method;
};

} // namespace engine
