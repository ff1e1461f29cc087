// KVzip (Kim et al. 2025, arXiv 2505.23416): the model is asked to repeat the document, piece by
// piece, with the whole cache visible. A key that no repeating row attends to strongly is not
// needed to reconstruct the text and is dropped, whatever will be asked later. Scores are the
// maximum over rows and over the heads of a group of the softmax over {template head, piece, own
// rows}; structural.md 6.1.

#include "engine/kv/byte_stream.h"
#include "engine/methods/block_plan.h"
#include "engine/methods/selection.h"
#include "kernels/select.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace engine {
namespace {

constexpr std::uint32_t kSmallestPiece = 64;

class KvzipMethod final : public Method
{
public:
    explicit KvzipMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_blocks(m_plan, 1)
        , m_overlap(static_cast<std::uint32_t>(plan.setting("overlap")))
        , m_lists(plan.layers * plan.kvHeads)
    {
        if (!selects())
            return;
        m_piece = pieceLength();
        m_scores.assign(std::size_t{m_lists} * plan.documentRows(),
                        -std::numeric_limits<float>::infinity());
    }

    std::optional<Job> nextJob(const KvStore& store) override
    {
        if (auto block = m_blocks.next())
            return block;
        if (!selects() || m_scored == m_plan.documentRows())
            return std::nullopt;
        return repeatJob(store);
    }

    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        if (step.job->role != Role::Probe)
            return;
        const std::uint32_t prefix = m_plan.prefixRows();
        const auto own = static_cast<std::uint32_t>(step.rows.size());
        const std::array<kernels::EntryRange, 3> subset{
            kernels::EntryRange{0, prefix},
            kernels::EntryRange{prefix + m_begin, prefix + m_end},
            kernels::EntryRange{m_plan.totalRows(), m_plan.totalRows() + own},
        };
        kernels::ScoreSpec spec;
        spec.scored = subset[1];
        spec.subset = subset;
        spec.normaliser = kernels::Normaliser::Subset;
        spec.rows = kernels::RowReduction::Max;
        spec.heads = kernels::HeadReduction::Max;
        const std::vector<float> scores = scorer.run(spec);
        const std::uint32_t length = m_end - m_begin;
        for (std::uint32_t head = 0; head < m_plan.kvHeads; ++head) {
            for (std::uint32_t j = 0; j < length; ++j)
                scoreAt(m_begin + j, step.layer, head) = scores[std::size_t{head} * length + j];
        }
    }

    std::vector<std::byte> jobState() const override
    {
        if (m_end == m_scored)
            return {};
        ByteWriter writer;
        writer.putArray(std::span<const float>(m_scores).subspan(
            std::size_t{m_begin} * m_lists, std::size_t{m_end - m_begin} * m_lists));
        return writer.take();
    }

    void restoreJobState(const Job& job, std::span<const std::byte> state) override
    {
        if (job.role != Role::Probe)
            return;
        ByteReader reader(state, "The saved progress of KVzip");
        const auto scores = reader.getArray<float>("scores");
        reader.expectEnd();
        if (scores.size() != std::size_t{m_end - m_begin} * m_lists)
            reader.fail("scores");
        std::ranges::copy(scores,
                          m_scores.begin() + static_cast<std::ptrdiff_t>(m_begin) * m_lists);
    }

    void onJobEnd(const Job& job, KvStore& store) override
    {
        if (job.role != Role::Probe) {
            m_read = m_blocks.rowsHandedOut();
            return;
        }
        m_scored = m_end;
        if (m_scored == m_plan.documentRows())
            evict(store);
    }

    double totalCost() const override
    {
        return m_blocks.costUpTo(m_plan.totalRows()) +
               (selects() ? repeatCost(m_plan.documentRows()) : 0.0);
    }
    double doneCost() const override { return m_blocks.costUpTo(m_read) + repeatCost(m_scored); }
    std::size_t scoreBytes() const override { return m_scores.capacity() * sizeof(float); }

private:
    bool selects() const { return m_plan.keptPerHead() < m_plan.documentRows(); }

    float& scoreAt(std::uint32_t token, std::uint32_t layer, std::uint32_t head)
    {
        return m_scores[std::size_t{token} * m_lists + layer * m_plan.kvHeads + head];
    }

    /// A repeating row sees the whole document and its piece once more for the scores.
    double repeatCost(std::uint32_t rows) const
    {
        return rows * (1.0 + m_plan.totalRows() / 4096.0 + m_piece / 4096.0);
    }

    std::vector<std::int32_t> request(std::uint32_t begin) const
    {
        if (begin == 0)
            return m_plan.turn("Repeat the previous context exactly.");
        const std::uint32_t quoteBegin = begin - std::min(begin, m_overlap);
        return m_plan.turn("Repeat the part of the previous context exactly, starting with " +
                           m_plan.text(quoteBegin, begin));
    }

    /// The repeating rows stand behind the document, so they need positions that the model has.
    std::uint32_t pieceLength() const
    {
        const auto wanted = static_cast<std::uint32_t>(m_plan.setting("piece"));
        const auto overhead =
            static_cast<std::uint32_t>(request(0).size()) + m_overlap * 4 + kSmallestPiece;
        const std::uint32_t used = m_plan.totalRows() + overhead;
        const std::uint32_t room = m_plan.contextLength > used ? m_plan.contextLength - used : 0;
        if (room < kSmallestPiece) {
            throw Error(
                ErrorCode::TooLarge,
                "The document has " + std::to_string(m_plan.documentRows()) +
                    " tokens, which leaves KVzip no room to repeat a part of it in the model's "
                    "window of " +
                    std::to_string(m_plan.contextLength) +
                    ". Choose the method full, or a model with a longer window.");
        }
        return std::min({wanted, room, m_plan.documentRows()});
    }

    Job repeatJob(const KvStore& store)
    {
        m_begin = m_scored;
        m_end = std::min(m_begin + m_piece, m_plan.documentRows());
        Job job;
        job.role = Role::Probe;
        job.phase = "Scoring";
        job.keepsKv = false;
        job.tokens = request(m_begin);
        job.tokens.insert(job.tokens.end(), m_plan.document.begin() + m_begin,
                          m_plan.document.begin() + m_end);
        job.positions.resize(job.tokens.size());
        std::iota(job.positions.begin(), job.positions.end(), store.nextPosition());
        job.documentTokens = m_end - m_begin;
        return job;
    }

    void evict(KvStore& store)
    {
        std::vector<HeadLists> kept(m_plan.layers, HeadLists(m_plan.kvHeads));
        if (m_plan.stages.allocator)
            kept = allocate(m_plan, layerScores(), m_plan.keptPerHead(), 0);
        else if (m_plan.setting("global") != 0.0)
            selectGlobally(kept);
        else
            selectPerHead(kept);
        applySelection(store, m_plan, {m_plan.prefixRows(), m_plan.totalRows()}, kept);
    }

    std::vector<LayerScores> layerScores() const
    {
        const std::uint32_t tokens = m_plan.documentRows();
        std::vector<LayerScores> layers(m_plan.layers, LayerScores{m_plan.kvHeads, tokens, {}, {}});
        for (std::uint32_t list = 0; list < m_lists; ++list) {
            for (std::uint32_t token = 0; token < tokens; ++token)
                layers[list / m_plan.kvHeads].score.push_back(
                    m_scores[std::size_t{token} * m_lists + list]);
        }
        return layers;
    }

    /// One ranking over all layers, heads and tokens, so heads that reconstruct keep more. Ties go
    /// to the later token: the scores are laid out token by token.
    void selectGlobally(std::vector<HeadLists>& kept) const
    {
        const double exact = m_plan.budget ? static_cast<double>(m_plan.keptPerHead()) * m_lists
                                           : m_plan.keep * static_cast<double>(m_scores.size());
        const auto count = static_cast<std::size_t>(std::floor(exact + 0.5));
        for (const std::uint32_t index :
             kernels::cpu::selectTop(m_scores, {}, count, kernels::cpu::TieRule::HigherIndex))
            listOf(kept, index % m_lists).push_back(index / m_lists);
    }

    void selectPerHead(std::vector<HeadLists>& kept) const
    {
        std::vector<float> scores(m_plan.documentRows());
        for (std::uint32_t list = 0; list < m_lists; ++list) {
            for (std::uint32_t token = 0; token < scores.size(); ++token)
                scores[token] = m_scores[std::size_t{token} * m_lists + list];
            for (const std::uint32_t index : kernels::cpu::selectTop(
                     scores, {}, m_plan.keptPerHead(), kernels::cpu::TieRule::HigherIndex))
                listOf(kept, list).push_back(index);
        }
    }

    std::vector<std::uint32_t>& listOf(std::vector<HeadLists>& kept, std::uint32_t list) const
    {
        return kept[list / m_plan.kvHeads][list % m_plan.kvHeads];
    }

    DocumentPlan m_plan;
    BlockPlan m_blocks;
    std::uint32_t m_overlap;
    std::uint32_t m_lists;
    std::uint32_t m_piece = 0;
    std::vector<float> m_scores; // (document token, layer, head): natural log of the score
    std::uint32_t m_read = 0;    // rows
    std::uint32_t m_scored = 0;  // document tokens
    std::uint32_t m_begin = 0;   // the piece being repeated
    std::uint32_t m_end = 0;
};

} // namespace

MethodEntry kvzipMethod()
{
    return {{.id = "kvzip",
             .title = "Recommended (KVzip)",
             .description =
                 "Keeps what the model needs to repeat the document, whatever you ask later. "
                 "Takes about twice as long to prepare as reading alone.",
             .source = "Kim et al. 2025, arXiv 2505.23416",
             .queryAgnostic = true,
             .parameters = {{"piece", "length of the parts repeated at a time (tokens)", 64, 16384,
                             2000},
                            {"overlap", "tokens quoted from the part before (tokens)", 0, 64, 8},
                            {"global",
                             "1: one ranking over all heads; 0: every head keeps equally many", 0,
                             1, 1}},
             .extraPasses = 1},
            [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
                return std::make_unique<KvzipMethod>(plan);
            },
            Composition::SharedScorer,
            Allocator::Global};
}

} // namespace engine
