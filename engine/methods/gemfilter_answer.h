#pragma once

#include "engine/methods/answering.h"
#include "engine/run/transformer.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace engine {

/// What a GemFilter context says about itself.
struct GemFilterState
{
    std::uint32_t layer = 0;  // whose keys are scored; the layers below and it are stored
    std::uint32_t select = 0; // tokens that answer a question: prefix and question among them
    std::uint32_t kernel = 5; // neighbours pooled together
    std::vector<std::int32_t> prefix;
    std::vector<std::int32_t> document;

    std::vector<std::byte> write() const;
    /// Throws Damaged.
    static GemFilterState read(std::span<const std::byte> bytes);
};

/// GemFilter in several turns (selection.md 3.1, 4.4 C): the past is kept in the lower layers only.
/// A question runs through them, its last row votes, and the chosen tokens are read through all
/// layers as if they were everything: a store of its own with positions from 0 on. What was asked
/// and answered is appended to the past, so nothing is lost, only chosen anew.
class GemFilterAnswer final : public AnswerMethod
{
public:
    /// `past` has prefix and document in the lists of layers 0 to state.layer, and nothing in the
    /// others.
    GemFilterAnswer(Transformer& transformer, std::shared_ptr<const GemFilterState> state,
                    KvStore past);

    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<GemFilterAnswer>(*this);
    }
    void beforeQuestion(std::span<const std::int32_t> turn, KvStore& store,
                        const std::stop_token& stop) override;
    bool takeExchange(std::span<const std::int32_t> exchange, KvStore& store,
                      const std::stop_token& stop) override;
    void afterJob(const Job& job, KvStore& store) override;
    std::int32_t nextPosition(const KvStore& store) const override;
    std::optional<std::span<const std::uint32_t>> tokenOfRow() const override;

    /// Rows of the past that were chosen for the last question, without the question's own.
    const std::vector<std::uint32_t>& chosenRows() const { return m_chosen; }
    const KvStore& past() const { return m_past; }

private:
    std::vector<float> readIntoPast(std::span<const std::int32_t> turn,
                                    const std::stop_token& stop);
    KvStore readChosen(const std::stop_token& stop);
    std::int32_t tokenOf(std::uint32_t row) const;

    Transformer* m_transformer;
    std::shared_ptr<const GemFilterState> m_state;
    KvStore m_past;
    std::vector<std::int32_t> m_history; // tokens of the past behind the document
    std::vector<std::int32_t> m_answer;  // read since, not yet in the past
    std::size_t m_questionLeft = 0;      // tokens of the question that are in the past but not read
    std::vector<std::uint32_t> m_chosen;
    std::vector<std::uint32_t> m_tokenOfRow;
    bool m_replaced = false;
};

} // namespace engine
