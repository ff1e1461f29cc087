#pragma once

#include "engine/methods/answering.h"

#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// Heads that go on streaming while questions are answered (DuoAttention, structural.md 6.5 and
/// 7.4): in these each row sees the rows that stay and the most recent ones, itself among them, at
/// their true positions. What no later row can see is dropped, about a page at a time. The other
/// heads see everything.
class StreamingAnswer final : public AnswerMethod
{
public:
    struct State
    {
        std::uint32_t recent = 0;                 // rows that a row sees up to itself
        std::vector<kernels::EntryRange> staying; // rows: ascending, apart from each other
        std::vector<std::uint8_t> streams;        // [layer * kvHeads + head], 0 or 1

        std::vector<std::byte> write() const;
        /// Throws Damaged.
        static State read(std::span<const std::byte> bytes);
    };

    /// The backend outlives the object. Throws Damaged when the state is not one of such a store.
    StreamingAnswer(Backend& backend, State state, const KvStore& prepared);

    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<StreamingAnswer>(*this);
    }
    void segments(const LayerStep& step, std::vector<Segment>& segments) override;
    void afterJob(const Job& job, KvStore& store) override;

private:
    bool streams(std::uint32_t layer, std::uint32_t head) const
    {
        return m_state.streams[std::size_t{layer} * m_heads + head] != 0;
    }
    void trim(KvList& list, const KvStore& store) const;

    Backend* m_backend;
    State m_state;
    std::uint32_t m_heads; // KV heads
};

} // namespace engine
