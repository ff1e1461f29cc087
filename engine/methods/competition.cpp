#include "engine/methods/competition.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

std::uint32_t lengthOf(const kernels::EntryRange& range)
{
    return range.end - range.begin;
}

/// The named places of `from`, for every head.
std::vector<float> gathered(const std::vector<float>& from, const LayerScores& scores,
                            std::span<const std::uint32_t> rows, std::uint32_t firstRow)
{
    std::vector<float> out;
    if (from.empty())
        return out;
    out.reserve(scores.heads * rows.size());
    for (std::size_t head = 0; head < scores.heads; ++head) {
        for (const std::uint32_t row : rows)
            out.push_back(from[head * scores.tokens + row - firstRow]);
    }
    return out;
}

/// Key re-rotation (selection.md 3.16), left aligned: entry s, read at position p, is turned by
/// s - p. Only for lists of one length.
void moveToSlots(KvStore& store, const DocumentPlan& plan)
{
    const std::uint32_t length = store.list(0, 0).length();
    std::vector<std::int32_t> deltas(length);
    for (std::uint32_t layer = 0; layer < plan.layers; ++layer) {
        for (std::uint32_t head = 0; head < plan.kvHeads; ++head) {
            KvList& list = store.list(layer, head);
            for (std::uint32_t slot = 0; slot < length; ++slot)
                deltas[slot] = static_cast<std::int32_t>(slot) - store.position(list.row(slot));
            list.editKeys({0, length}, plan.headDim,
                          [&](std::span<float> keys) { plan.rotate(keys, deltas); });
        }
    }
    store.setNextPosition(static_cast<std::int32_t>(length));
}

} // namespace

Competition::Competition(DocumentPlan plan, std::string method, const Protection& protection)
    : m_plan(std::move(plan))
    , m_method(std::move(method))
    , m_protection(protection)
    , m_protected(m_plan.totalRows())
{
    m_protection.sinks = std::clamp(protection.sinks, m_plan.prefixRows(), m_plan.totalRows());
    m_eligible = {m_protection.sinks,
                  m_plan.totalRows() -
                      std::min(protection.window, m_plan.totalRows() - m_protection.sinks)};
    divideIntoParts();
    if (!selects())
        return;
    protectRows();
    sharePlaces();
}

/// Chunks are counted from the document's first token. A last chunk in which the window leaves no
/// place belongs to the chunk before it.
void Competition::divideIntoParts()
{
    const std::uint32_t begin = m_plan.prefixRows();
    const std::uint32_t end = m_plan.totalRows();
    const std::uint32_t step = m_plan.stages.span == SpanRule::ChunkPress
                                   ? static_cast<std::uint32_t>(m_plan.setting("chunk"))
                                   : std::max(1U, m_plan.documentRows());
    for (std::uint32_t at = begin; at < end; at += step)
        m_parts.push_back({at, std::min(at + step, end)});
    if (m_parts.size() < 2 || m_protection.window == 0)
        return;
    const std::uint64_t places =
        std::uint64_t{lengthOf(m_parts.back())} * m_plan.keptPerHead() / m_plan.documentRows();
    if (places <= m_protection.window) {
        m_parts.pop_back();
        m_parts.back().end = end;
    }
}

void Competition::protectRows()
{
    std::fill_n(m_protected.begin(), m_protection.sinks, true);
    for (const kernels::EntryRange& part : m_parts) {
        if (m_protection.window >= lengthOf(part)) {
            throw Error(ErrorCode::BadInput,
                        "The method " + m_method + " always keeps the last " +
                            std::to_string(m_protection.window) + " tokens, but the " +
                            (m_parts.size() > 1 ? "chunk" : "document") + " has only " +
                            std::to_string(lengthOf(part)) + ". Choose a window of at most " +
                            std::to_string(std::max(1U, lengthOf(part)) - 1) + ".");
        }
        std::fill_n(m_protected.begin() + (part.end - m_protection.window), m_protection.window,
                    true);
    }
    for (const kernels::EntryRange& range : m_plan.pinned) {
        std::fill_n(m_protected.begin() + m_plan.prefixRows() + range.begin, lengthOf(range), true);
    }
}

/// Pinned rows are paid first; what is left goes to the parts by their lengths, so that the sum is
/// exact (selection.md 3.17).
void Competition::sharePlaces()
{
    const std::uint64_t cells = std::uint64_t{m_plan.layers} * m_plan.kvHeads;
    const std::uint32_t pinned = m_plan.pinnedRows();
    if (pinned > m_plan.keptPerHead()) {
        throw Error(ErrorCode::BadInput, "The pinned pages have " + std::to_string(pinned) +
                                             " tokens, but only " +
                                             std::to_string(m_plan.keptPerHead()) + " of " +
                                             std::to_string(m_plan.documentRows()) +
                                             " may stay. Pin fewer pages or raise keep.");
    }
    std::vector<bool> isPinned(m_plan.totalRows());
    for (const kernels::EntryRange& range : m_plan.pinned)
        std::fill_n(isPinned.begin() + m_plan.prefixRows() + range.begin, lengthOf(range), true);
    std::vector<std::uint64_t> weights;
    for (const kernels::EntryRange& part : m_parts) {
        Part& each = m_places.emplace_back();
        std::uint64_t free = 0;
        for (std::uint32_t row = part.begin; row < part.end; ++row) {
            free += isPinned[row] ? 0 : 1;
            if (m_protected[row])
                ++each.places.protectedRows;
            else
                each.competing.push_back(row);
        }
        weights.push_back(free);
    }
    const auto perHead = proportionalShares(m_plan.keptPerHead() - pinned, weights);
    const std::uint64_t all = std::max(m_plan.keptInAll(), pinned * cells) - pinned * cells;
    const auto inAll = proportionalShares(all, weights);
    for (std::size_t i = 0; i < m_places.size(); ++i) {
        // Sinks and windows that are not pinned anyway.
        const std::uint64_t own = weights[i] - m_places[i].competing.size();
        checkPlaces(i, perHead[i], own);
        m_places[i].places.perHead = static_cast<std::uint32_t>(perHead[i] - own);
        m_places[i].places.inAll = inAll[i] - std::min(inAll[i], own * cells);
    }
}

void Competition::checkPlaces(std::size_t index, std::uint64_t quota,
                              std::uint64_t ownProtected) const
{
    if (ownProtected == 0 || quota > ownProtected)
        return;
    const std::uint32_t begin = m_parts[index].begin;
    const std::uint32_t sinks = m_protection.sinks > begin ? m_protection.sinks - begin : 0;
    throw Error(ErrorCode::BadInput,
                "The method " + m_method + " always keeps " + std::to_string(sinks) +
                    " tokens at the beginning and " + std::to_string(m_protection.window) +
                    " at the end" + (m_parts.size() > 1 ? " of a chunk" : "") + ", but only " +
                    std::to_string(quota) + " may stay" +
                    (m_parts.size() > 1 ? " there. Raise keep or chunk" : ". Raise keep") +
                    ", or lower the settings sinks or window.");
}

std::vector<LayerScores> Competition::scoresOfPart(const Part& part,
                                                   std::vector<LayerScores>& scores) const
{
    if (part.competing.size() == lengthOf(m_eligible))
        return std::move(scores);
    std::vector<LayerScores> own;
    for (const LayerScores& layer : scores) {
        LayerScores& each = own.emplace_back();
        each.heads = layer.heads;
        each.tokens = static_cast<std::uint32_t>(part.competing.size());
        each.score = gathered(layer.score, layer, part.competing, m_eligible.begin);
        each.raw = gathered(layer.raw, layer, part.competing, m_eligible.begin);
        each.ties = layer.ties;
        each.logarithmic = layer.logarithmic;
    }
    return own;
}

void Competition::countErrors(std::span<const LayerScores> scores)
{
    for (const LayerScores& layer : scores) {
        m_scores += layer.score.size();
        m_errors += static_cast<std::uint64_t>(
            std::ranges::count_if(layer.score, [](float each) { return std::isnan(each); }));
    }
}

void Competition::judgeChunks(const Part& part, std::vector<LayerScores>& scores) const
{
    std::vector<std::uint32_t> chunkOf;
    const auto length = static_cast<std::uint32_t>(m_plan.setting("chunk"));
    for (const std::uint32_t row : part.competing)
        chunkOf.push_back((row - m_plan.prefixRows()) / length);
    for (LayerScores& layer : scores)
        spreadChunkMeans(layer, chunkOf);
}

void Competition::refuseNumberless(const LayerScores& scores, const HeadLists& winners) const
{
    for (std::size_t head = 0; head < winners.size(); ++head) {
        for (const std::uint32_t token : winners[head]) {
            if (std::isnan(scores.score[head * scores.tokens + token])) {
                throw Error(ErrorCode::Damaged,
                            "The model gives " + m_method +
                                " values that are not numbers (NaN) for so many tokens that it "
                                "cannot choose. The model's file may be damaged; choose another "
                                "one.");
            }
        }
    }
}

void Competition::decide(KvStore& store, std::vector<LayerScores> scores)
{
    std::vector<HeadLists> chosen(m_plan.layers, HeadLists(m_plan.kvHeads));
    for (const Part& part : m_places) {
        std::vector<LayerScores> own = scoresOfPart(part, scores);
        countErrors(own);
        if (m_plan.stages.span == SpanRule::ChunkKv)
            judgeChunks(part, own);
        const auto winners = allocate(m_plan, own, part.places);
        for (std::size_t layer = 0; layer < winners.size(); ++layer) {
            refuseNumberless(own[layer], winners[layer]);
            for (std::size_t head = 0; head < winners[layer].size(); ++head)
                for (const std::uint32_t token : winners[layer][head])
                    chosen[layer][head].push_back(part.competing[token]);
        }
    }
    keepRows(store, std::move(chosen));
    if (m_plan.stages.compact)
        moveToSlots(store, m_plan);
}

void Competition::keepRows(KvStore& store, std::vector<HeadLists> chosen) const
{
    std::vector<std::uint32_t> always;
    for (std::uint32_t row = 0; row < m_plan.totalRows(); ++row) {
        if (m_protected[row])
            always.push_back(row);
    }
    std::vector<std::uint32_t> kept;
    for (std::uint32_t layer = 0; layer < m_plan.layers; ++layer) {
        for (std::uint32_t head = 0; head < m_plan.kvHeads; ++head) {
            kept.clear();
            std::ranges::merge(always, chosen[layer][head], std::back_inserter(kept));
            store.list(layer, head).keep(kept, m_plan.headDim);
        }
    }
}

std::vector<std::string> Competition::warnings() const
{
    if (m_errors == 0)
        return {};
    return {scoreErrorSentence(m_method, m_errors, m_scores)};
}

std::string scoreErrorSentence(const std::string& method, std::uint64_t errors,
                               std::uint64_t scores)
{
    return "The model gave " + method + " values that are not numbers (NaN) for " +
           std::to_string(errors) + " of " + std::to_string(scores) +
           " scores, which then counted as the lowest. The model's file may be damaged.";
}

void checkPinned(const MethodEntry& entry, std::span<const kernels::EntryRange> pinned)
{
    if (pinned.empty() || entry.composition != Composition::Closed || entry.keepsPinned)
        return;
    std::string able;
    for (const MethodEntry& each : methodTable()) {
        if (each.composition != Composition::Closed || each.keepsPinned)
            able += (able.empty() ? "" : ", ") + each.info.id;
    }
    throw Error(ErrorCode::BadInput, "The method " + entry.info.id +
                                         " cannot keep pinned pages. Methods that can: " + able +
                                         ".");
}

} // namespace engine
