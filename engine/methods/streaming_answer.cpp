#include "engine/methods/streaming_answer.h"

#include "engine/kv/byte_stream.h"

#include <algorithm>
#include <numeric>

namespace engine {
namespace {

using kernels::EntryRange;

/// The first entry whose row is `row` or a later one.
std::uint32_t entryOf(const KvList& list, std::uint32_t row)
{
    std::uint32_t begin = 0;
    std::uint32_t end = list.length();
    while (begin < end) {
        const std::uint32_t middle = begin + (end - begin) / 2;
        if (list.row(middle) < row)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

} // namespace

std::vector<std::byte> StreamingAnswer::State::write() const
{
    ByteWriter writer;
    writer.put(recent);
    writer.putArray(std::span<const EntryRange>(staying));
    writer.putArray(std::span<const std::uint8_t>(streams));
    return writer.take();
}

StreamingAnswer::State StreamingAnswer::State::read(std::span<const std::byte> bytes)
{
    ByteReader reader(bytes, "The stored state of the method");
    State state;
    state.recent = reader.get<std::uint32_t>("recent tokens");
    state.staying = reader.getArray<EntryRange>("tokens that stay");
    state.streams = reader.getArray<std::uint8_t>("streaming heads");
    reader.expectEnd();
    return state;
}

StreamingAnswer::StreamingAnswer(Backend& backend, State state, const KvStore& prepared)
    : m_backend(&backend)
    , m_state(std::move(state))
    , m_heads(prepared.shape().kvHeads)
{
    std::uint32_t end = 0;
    bool fits = m_state.recent > 0 &&
                m_state.streams.size() == std::size_t{prepared.shape().layers} * m_heads;
    for (const EntryRange& range : m_state.staying) {
        fits = fits && range.begin >= end && range.end > range.begin;
        end = range.end;
    }
    if (!fits || end > prepared.rowCount()) {
        throw Error(ErrorCode::Damaged,
                    "The stored state of the method does not fit the stored document. Prepare the "
                    "document again.");
    }
}

void StreamingAnswer::segments(const LayerStep& step, std::vector<Segment>& segments)
{
    const auto rows = static_cast<std::uint32_t>(step.rows.size());
    Segment own; // with everything that heads see which do not stream
    std::vector<Segment> staying(m_state.staying.size());
    for (Segment& part : staying)
        part.visible.resize(std::size_t{rows} * m_heads);
    own.visible.resize(std::size_t{rows} * m_heads);
    bool some = false;
    for (std::uint32_t head = 0; head < m_heads; ++head) {
        const KvList& list = step.store->list(step.layer, head);
        const std::uint32_t before = list.length() - rows;
        const bool streamsHere = streams(step.layer, head);
        some = some || streamsHere;
        std::vector<EntryRange> kept;
        for (const EntryRange& range : m_state.staying)
            kept.push_back({entryOf(list, range.begin), entryOf(list, range.end)});
        for (std::uint32_t row = 0; row < rows; ++row) {
            const std::size_t at = std::size_t{row} * m_heads + head;
            const std::uint32_t end = before + row + 1;
            const std::uint32_t recent =
                streamsHere && end > m_state.recent ? end - m_state.recent : 0;
            own.visible[at] = {recent, end};
            for (std::size_t part = 0; part < kept.size(); ++part)
                staying[part].visible[at] = {std::min(kept[part].begin, recent),
                                             std::min(kept[part].end, recent)};
        }
    }
    if (!some)
        return;
    segments.push_back(std::move(own));
    std::ranges::move(staying, std::back_inserter(segments));
}

void StreamingAnswer::afterJob(const Job& /*job*/, KvStore& store)
{
    m_backend->parallelFor(m_state.streams.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            if (m_state.streams[i] != 0)
                trim(store.list(static_cast<std::uint32_t>(i / m_heads),
                                static_cast<std::uint32_t>(i % m_heads)),
                     store);
        }
    });
}

/// Drops what is neither recent nor stays, once it is a page.
void StreamingAnswer::trim(KvList& list, const KvStore& store) const
{
    const std::uint32_t recent = list.length() - std::min(list.length(), m_state.recent);
    std::vector<std::uint32_t> kept;
    for (const EntryRange& range : m_state.staying) {
        const std::uint32_t end = std::min(entryOf(list, range.end), recent);
        for (std::uint32_t entry = entryOf(list, range.begin); entry < end; ++entry)
            kept.push_back(entry);
    }
    if (recent - kept.size() < kernels::kPageRows)
        return;
    kept.resize(kept.size() + list.length() - recent);
    std::iota(kept.end() - (list.length() - recent), kept.end(), recent);
    // Single entries cannot be taken out of pages that are encoded whole.
    list.pack(store.workingType(), store.shape().headDim);
    list.keep(kept, store.shape().headDim);
}

} // namespace engine
