#include "engine/methods/second_reading.h"

#include <algorithm>

namespace engine {

void SecondReading::begin(std::vector<std::uint32_t> rows, KvStore& store)
{
    m_rows = std::move(rows);
    m_hasBegun = true;
    const KvShape shape = store.shape();
    store.truncate({0, 0, std::vector<std::uint32_t>(std::size_t{shape.layers} * shape.kvHeads)});
}

std::optional<Job> SecondReading::next() const
{
    const std::size_t end = std::min<std::size_t>(m_rows.size(), m_read + m_plan.blockRows);
    if (m_read == end)
        return std::nullopt;
    Job job;
    job.phase = "Reading";
    for (std::size_t at = m_read; at < end; ++at) {
        const std::uint32_t row = m_rows[at];
        const bool ofPrefix = row < m_plan.prefixRows();
        job.tokens.push_back(ofPrefix ? m_plan.prefix[row]
                                      : m_plan.document[row - m_plan.prefixRows()]);
        job.positions.push_back(static_cast<std::int32_t>(at));
        job.documentTokens += ofPrefix ? 0 : 1;
    }
    return job;
}

void SecondReading::onJobEnd(const Job& job, KvStore& store)
{
    m_read += static_cast<std::uint32_t>(job.tokens.size());
    if (m_read == m_rows.size())
        store.spreadRows(m_rows, m_plan.totalRows());
}

} // namespace engine
