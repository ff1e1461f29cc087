#include "engine/methods/eviction_answer.h"

#include "engine/kv/byte_stream.h"
#include "kernels/select.h"

#include <algorithm>
#include <numeric>

namespace engine {
namespace {

bool holdTheSameRows(const KvStore& store, std::uint32_t layer)
{
    const KvList& first = store.list(layer, 0);
    for (std::uint32_t head = 1; head < store.shape().kvHeads; ++head) {
        const KvList& other = store.list(layer, head);
        if (other.length() != first.length())
            return false;
        for (std::uint32_t entry = 0; entry < first.length(); ++entry) {
            if (other.row(entry) != first.row(entry))
                return false;
        }
    }
    return true;
}

} // namespace

std::vector<std::uint32_t> keptEntries(std::span<const float> scores,
                                       const kernels::EntryRange& competing, std::size_t places)
{
    std::vector<std::uint32_t> kept(competing.begin);
    std::iota(kept.begin(), kept.end(), 0U);
    for (const std::uint32_t each :
         kernels::cpu::selectTop(scores.subspan(competing.begin, competing.end - competing.begin),
                                 {}, places, kernels::cpu::TieRule::LowerIndex))
        kept.push_back(competing.begin + each);
    for (std::size_t entry = competing.end; entry < scores.size(); ++entry)
        kept.push_back(static_cast<std::uint32_t>(entry));
    return kept;
}

std::vector<std::byte> EvictionAnswer::State::write() const
{
    ByteWriter writer;
    writer.put(recent);
    writer.put(static_cast<std::uint32_t>(scores.size()));
    for (const std::vector<float>& each : scores)
        writer.putArray(std::span<const float>(each));
    return writer.take();
}

EvictionAnswer::State EvictionAnswer::State::read(std::span<const std::byte> bytes)
{
    ByteReader reader(bytes, "The stored state of the method");
    State state;
    state.recent = reader.get<std::uint32_t>("recent tokens");
    const auto lists = reader.get<std::uint32_t>("number of lists");
    for (std::uint32_t i = 0; i < lists; ++i)
        state.scores.push_back(reader.getArray<float>("scores"));
    reader.expectEnd();
    return state;
}

EvictionAnswer::EvictionAnswer(Backend& backend, Rule rule, State state, std::uint32_t prefixRows,
                               const KvStore& prepared)
    : m_backend(&backend)
    , m_rule(rule)
    , m_recent(state.recent)
    , m_prefixRows(prefixRows)
    , m_heads(prepared.shape().kvHeads)
    , m_scores(std::move(state.scores))
{
    const KvShape shape = prepared.shape();
    const std::size_t lists = std::size_t{shape.layers} * shape.kvHeads;
    if (rule == Rule::LastRow)
        m_scores.resize(lists);
    bool fits = m_scores.size() == lists;
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            const std::uint32_t length = prepared.list(layer, head).length();
            m_lengths.push_back(length);
            fits = fits && length >= prefixRows &&
                   (rule == Rule::LastRow || scoresOf(layer, head).size() == length);
        }
        m_alike.push_back(rule == Rule::LastRow && holdTheSameRows(prepared, layer));
    }
    if (!fits) {
        throw Error(ErrorCode::Damaged,
                    "The stored state of the method does not fit the stored document. Prepare the "
                    "document again.");
    }
}

std::vector<float>& EvictionAnswer::scoresOf(std::uint32_t layer, std::uint32_t head)
{
    return m_scores[std::size_t{layer} * m_heads + head];
}

/// Answers are made, and read again, one token a job.
std::size_t EvictionAnswer::rowsPerJob(Role role) const
{
    return role == Role::Generated ? 1 : AnswerMethod::rowsPerJob(role);
}

void EvictionAnswer::onAttention(const LayerStep& step, Scorer& scorer)
{
    kernels::ScoreSpec spec;
    for (std::uint32_t head = 0; head < m_heads; ++head)
        spec.scored.end = std::max(spec.scored.end, step.store->list(step.layer, head).length());
    spec.normaliser = kernels::Normaliser::Full;
    spec.rows = m_rule == Rule::LastRow ? kernels::RowReduction::Last : kernels::RowReduction::Sum;
    spec.heads = kernels::HeadReduction::Sum;
    const std::vector<float> weights = scorer.run(spec);
    const std::size_t width = spec.scored.end;
    for (std::uint32_t head = 0; head < m_heads; ++head) {
        std::vector<float>& scores = scoresOf(step.layer, head);
        if (m_rule == Rule::LastRow)
            scores.clear();
        scores.resize(step.store->list(step.layer, head).length());
        for (std::size_t entry = 0; entry < scores.size(); ++entry) {
            if (!m_alike[step.layer]) {
                scores[entry] += weights[head * width + entry];
                continue;
            }
            for (std::uint32_t other = 0; other < m_heads; ++other)
                scores[entry] += weights[other * width + entry];
        }
    }
}

void EvictionAnswer::afterJob(const Job& /*job*/, KvStore& store)
{
    // Single entries cannot be taken out of pages that are encoded whole.
    if (!std::exchange(m_unpacked, true))
        store.pack(store.workingType(), *m_backend);
    const KvShape shape = store.shape();
    m_backend->parallelFor(m_lengths.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            KvList& list = store.list(static_cast<std::uint32_t>(i / m_heads),
                                      static_cast<std::uint32_t>(i % m_heads));
            const std::uint32_t length = list.length();
            if (length <= m_lengths[i])
                continue;
            // A list may be shorter than what always stays; then the recent part gives way.
            const std::uint32_t recent = std::min(m_recent, m_lengths[i] - m_prefixRows);
            const std::size_t places = m_lengths[i] - m_prefixRows - recent;
            const auto kept = keptEntries(m_scores[i], {m_prefixRows, length - recent}, places);
            list.keep(kept, shape.headDim);
            for (std::size_t entry = 0; entry < kept.size(); ++entry)
                m_scores[i][entry] = m_scores[i][kept[entry]];
            m_scores[i].resize(kept.size());
        }
    });
}

} // namespace engine
