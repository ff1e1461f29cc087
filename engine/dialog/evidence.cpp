#include "engine/dialog/evidence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {

EvidenceHooks::EvidenceHooks(std::uint32_t prefixRows, std::uint32_t documentTokens,
                             std::span<const std::uint32_t> tokenOfRow)
    : m_prefixRows(prefixRows)
    , m_tokenOfRow(tokenOfRow)
    , m_mass(documentTokens)
{}

bool EvidenceHooks::needsLse(const LayerStep& /*step*/) const
{
    return true;
}

void EvidenceHooks::onAttention(const LayerStep& step, Scorer& scorer)
{
    const KvStore& store = *step.store;
    const std::uint32_t heads = store.shape().kvHeads;
    std::uint32_t end = m_prefixRows;
    for (std::uint32_t head = 0; head < heads; ++head)
        end = std::max(end, store.list(step.layer, head).length());
    if (end == m_prefixRows)
        return;
    kernels::ScoreSpec spec;
    spec.scored = {m_prefixRows, end};
    spec.normaliser = kernels::Normaliser::Full;
    spec.rows = kernels::RowReduction::Sum;
    spec.heads = kernels::HeadReduction::Sum;
    const std::vector<float> scores = scorer.run(spec);
    const std::size_t width = end - m_prefixRows;
    for (std::uint32_t head = 0; head < heads; ++head) {
        const KvList& list = store.list(step.layer, head);
        for (std::uint32_t entry = m_prefixRows; entry < list.length(); ++entry) {
            const std::uint32_t place = list.row(entry) - m_prefixRows;
            if (place >= (m_tokenOfRow.empty() ? m_mass.size() : m_tokenOfRow.size()))
                break;
            // A damaged key can make a share that is no number; it must not spoil the order.
            const float share = scores[head * width + entry - m_prefixRows];
            if (std::isfinite(share))
                m_mass[m_tokenOfRow.empty() ? place : m_tokenOfRow[place]] += share;
        }
    }
}

std::vector<Evidence::Place> EvidenceHooks::places(std::size_t count) const
{
    const double total = std::accumulate(m_mass.begin(), m_mass.end(), 0.0);
    std::vector<std::uint32_t> order(m_mass.size());
    std::iota(order.begin(), order.end(), 0U);
    const std::size_t kept = std::min(count, order.size());
    const auto heavier = [&](std::uint32_t a, std::uint32_t b) {
        return m_mass[a] != m_mass[b] ? m_mass[a] > m_mass[b] : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                      heavier);
    std::vector<Evidence::Place> places;
    for (std::size_t i = 0; i < kept && m_mass[order[i]] > 0.0; ++i)
        places.push_back({order[i], static_cast<float>(m_mass[order[i]] / total)});
    return places;
}

std::vector<ByteRange> splitSentences(std::string_view text)
{
    std::vector<ByteRange> sentences;
    std::uint32_t begin = 0;
    for (std::uint32_t i = 0; i < text.size(); ++i) {
        const bool stop = text[i] == '.' || text[i] == '!' || text[i] == '?';
        const bool breaks = i + 1 == text.size() || text[i + 1] == ' ' || text[i + 1] == '\n';
        if (text[i] == '\n' || (stop && breaks)) {
            sentences.push_back({begin, i + 1});
            begin = i + 1;
        }
    }
    if (begin < text.size())
        sentences.push_back({begin, static_cast<std::uint32_t>(text.size())});
    std::erase_if(sentences, [&](const ByteRange& range) {
        const auto sentence = text.substr(range.begin, range.end - range.begin);
        return sentence.find_first_not_of(" \n\t") == std::string_view::npos;
    });
    return sentences;
}

} // namespace engine
