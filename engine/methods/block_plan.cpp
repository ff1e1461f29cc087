#include "engine/methods/block_plan.h"

#include <algorithm>

namespace engine {
namespace {

/// Reading a row costs one unit plus this much for each row before it; only the shape of the
/// progress bar depends on it.
constexpr double kAttentionCost = 1.0 / 4096;

constexpr std::uint64_t kBlockBytes = std::uint64_t{64} << 20U;
constexpr std::uint64_t kFewestRows = 16;

} // namespace

std::uint32_t boundedBlockRows(const DocumentPlan& plan, std::uint32_t wanted)
{
    const std::uint64_t bytesOfRow = std::uint64_t{4} * plan.layers * plan.kvHeads * plan.headDim;
    const std::uint64_t fitting = std::max(kBlockBytes / bytesOfRow, kFewestRows);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, fitting));
}

BlockPlan::BlockPlan(const DocumentPlan& plan, std::uint32_t minimumLastRows,
                     std::span<const kernels::EntryRange> parts)
    : m_plan(plan)
{
    const kernels::EntryRange whole{0, plan.totalRows()};
    if (parts.empty())
        parts = {&whole, 1};
    std::uint32_t begin = 0;
    for (const kernels::EntryRange& part : parts) {
        const std::size_t before = m_ends.size();
        for (std::uint32_t end = begin + plan.blockRows; end < part.end; end += plan.blockRows)
            m_ends.push_back(end);
        if (part.end > begin)
            m_ends.push_back(part.end);
        while (m_ends.size() > before + 1 && part.end - m_ends[m_ends.size() - 2] < minimumLastRows)
            m_ends.erase(m_ends.end() - 2);
        begin = part.end;
    }
}

BlockPlan::BlockPlan(const DocumentPlan& plan, const std::vector<kernels::EntryRange>& jobs)
    : m_plan(plan)
{
    for (const kernels::EntryRange& job : jobs)
        m_ends.push_back(job.end);
}

std::optional<Job> BlockPlan::next()
{
    if (finished())
        return std::nullopt;
    const std::uint32_t begin = rowsHandedOut();
    const std::uint32_t end = m_ends[m_next++];
    Job job;
    job.phase = "Reading";
    const std::uint32_t prefix = m_plan.prefixRows();
    for (std::uint32_t row = begin; row < end; ++row) {
        job.tokens.push_back(row < prefix ? m_plan.prefix[row] : m_plan.document[row - prefix]);
        job.positions.push_back(static_cast<std::int32_t>(row));
    }
    job.documentTokens = end - std::clamp(prefix, begin, end);
    return job;
}

double BlockPlan::costUpTo(std::uint32_t end) const
{
    return end * (1.0 + kAttentionCost * end / 2);
}

} // namespace engine
