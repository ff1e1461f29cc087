#include "engine/methods/repeating_method.h"

#include "engine/kv/byte_stream.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace engine {
namespace {

constexpr std::uint32_t kSmallestPiece = 64;

} // namespace

RepeatingMethod::RepeatingMethod(DocumentPlan plan, std::string name, std::uint32_t repeatedTokens)
    : m_plan(std::move(plan))
    , m_name(std::move(name))
    , m_blocks(m_plan, 1)
    , m_repeated(selects() ? std::min(repeatedTokens, m_plan.documentRows()) : 0)
    , m_lists(m_plan.layers * m_plan.kvHeads)
{
    if (m_repeated == 0)
        return;
    m_overlap = static_cast<std::uint32_t>(m_plan.setting("overlap"));
    m_piece = pieceLength();
    m_scores.assign(std::size_t{m_lists} * m_repeated, -std::numeric_limits<float>::infinity());
}

std::optional<Job> RepeatingMethod::nextJob(const KvStore& store)
{
    if (auto block = m_blocks.next())
        return block;
    if (m_scored == m_repeated)
        return std::nullopt;
    return repeatJob(store);
}

const kernels::ScoreSpec* RepeatingMethod::passWithAttention(const LayerStep& step)
{
    if (step.job->role != Role::Probe)
        return nullptr;
    const std::uint32_t prefix = m_plan.prefixRows();
    const auto own = static_cast<std::uint32_t>(step.rows.size());
    m_subset = {kernels::EntryRange{0, prefix},
                kernels::EntryRange{prefix + m_begin, prefix + m_end},
                kernels::EntryRange{m_plan.totalRows(), m_plan.totalRows() + own}};
    m_pass = {.scored = m_subset[1],
              .subset = m_subset,
              .normaliser = kernels::Normaliser::Subset,
              .rows = kernels::RowReduction::Max,
              .heads = kernels::HeadReduction::Max};
    weigh(m_pass, step, m_subset[1]);
    return &m_pass;
}

void RepeatingMethod::onAttention(const LayerStep& step, Scorer& scorer)
{
    if (step.job->role != Role::Probe)
        return;
    const std::vector<float> scores = scorer.runNamed();
    const std::uint32_t length = m_end - m_begin;
    for (std::uint32_t head = 0; head < m_plan.kvHeads; ++head) {
        for (std::uint32_t j = 0; j < length; ++j) {
            const float score = scores[std::size_t{head} * length + j];
            // Every repeating row sees the whole piece; a maximum of nothing comes from NaN alone.
            scoreAt(m_begin + j, step.layer, head) =
                std::isinf(score) ? std::numeric_limits<float>::quiet_NaN() : score;
        }
    }
}

std::vector<std::byte> RepeatingMethod::jobState() const
{
    if (m_end == m_scored)
        return {};
    ByteWriter writer;
    writer.putArray(std::span<const float>(m_scores).subspan(
        std::size_t{m_begin} * m_lists, std::size_t{m_end - m_begin} * m_lists));
    return writer.take();
}

void RepeatingMethod::restoreJobState(const Job& job, std::span<const std::byte> state)
{
    if (job.role != Role::Probe)
        return;
    ByteReader reader(state, "The saved progress of " + m_name);
    const auto scores = reader.getArray<float>("scores");
    reader.expectEnd();
    if (scores.size() != std::size_t{m_end - m_begin} * m_lists)
        reader.fail("scores");
    std::ranges::copy(scores, m_scores.begin() + static_cast<std::ptrdiff_t>(m_begin) * m_lists);
}

void RepeatingMethod::onJobEnd(const Job& job, KvStore& store)
{
    if (job.role == Role::Probe) {
        m_scored = m_end;
    } else {
        m_read = m_blocks.rowsHandedOut();
        onBlockRead(store);
    }
    if (m_blocks.finished() && m_scored == m_repeated && selects())
        finish(store);
}

double RepeatingMethod::totalCost() const
{
    return m_blocks.costUpTo(m_plan.totalRows()) + repeatCost(m_repeated);
}

std::vector<LayerScores> RepeatingMethod::takeScores()
{
    std::vector<LayerScores> layers;
    for (std::uint32_t layer = 0; layer < m_plan.layers; ++layer) {
        LayerScores& own = layers.emplace_back();
        own.heads = m_plan.kvHeads;
        own.tokens = m_repeated;
        own.ties = kernels::cpu::TieRule::HigherIndex; // structural.md 1.5
        own.logarithmic = true;
        own.score.reserve(std::size_t{m_plan.kvHeads} * m_repeated);
        for (std::uint32_t head = 0; head < m_plan.kvHeads; ++head) {
            for (std::uint32_t token = 0; token < m_repeated; ++token)
                own.score.push_back(scoreAt(token, layer, head));
        }
    }
    m_scores = {};
    return layers;
}

float& RepeatingMethod::scoreAt(std::uint32_t token, std::uint32_t layer, std::uint32_t head)
{
    return m_scores[std::size_t{token} * m_lists + std::size_t{layer} * m_plan.kvHeads + head];
}

/// A repeating row sees the whole document and its piece once more for the scores.
double RepeatingMethod::repeatCost(std::uint32_t rows) const
{
    return rows * (1.0 + m_plan.totalRows() / 4096.0 + m_piece / 4096.0);
}

std::vector<std::int32_t> RepeatingMethod::request(std::uint32_t begin) const
{
    if (begin == 0)
        return m_plan.turn("Repeat the previous context exactly.");
    const std::uint32_t quoteBegin = begin - std::min(begin, m_overlap);
    return m_plan.turn("Repeat the part of the previous context exactly, starting with " +
                       m_plan.text(quoteBegin, begin));
}

/// The repeating rows stand behind the document, so they need positions that the model has.
std::uint32_t RepeatingMethod::pieceLength() const
{
    const auto wanted = static_cast<std::uint32_t>(m_plan.setting("piece"));
    const auto overhead =
        static_cast<std::uint32_t>(request(0).size()) + m_overlap * 4 + kSmallestPiece;
    const std::uint32_t used = m_plan.totalRows() + overhead;
    const std::uint32_t room = m_plan.contextLength > used ? m_plan.contextLength - used : 0;
    if (room < kSmallestPiece) {
        throw Error(ErrorCode::TooLarge,
                    "The document has " + std::to_string(m_plan.documentRows()) +
                        " tokens, which leaves " + m_name +
                        " no room to repeat a part of it in the model's window of " +
                        std::to_string(m_plan.contextLength) +
                        ". Choose the method full, or a model with a longer window.");
    }
    return std::min({wanted, room, m_repeated});
}

Job RepeatingMethod::repeatJob(const KvStore& store)
{
    m_begin = m_scored;
    m_end = std::min(m_begin + m_piece, m_repeated);
    Job job;
    job.role = Role::Probe;
    job.phase = "Scoring";
    job.keepsKv = false;
    job.leavesEachLayer = true;
    job.tokens = request(m_begin);
    job.tokens.insert(job.tokens.end(), m_plan.document.begin() + m_begin,
                      m_plan.document.begin() + m_end);
    job.positions.resize(job.tokens.size());
    std::iota(job.positions.begin(), job.positions.end(), store.nextPosition());
    job.documentTokens = m_end - m_begin;
    return job;
}

std::vector<MethodParameter> repeatingParameters()
{
    return {{"piece", "length of the parts repeated at a time (tokens)", 64, 16384, 2000},
            {"overlap", "tokens quoted from the part before (tokens)", 0, 64, 8}};
}

} // namespace engine
