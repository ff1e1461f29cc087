#pragma once

#include "engine/methods/method.h"

namespace engine {

/// As many of the wanted rows as a block may have: a finished block is held once more until it is
/// on the disk, so models whose keys and values are wide get fewer (64 MiB at float16, at least
/// 16).
std::uint32_t boundedBlockRows(const DocumentPlan& plan, std::uint32_t wanted);

/// Cuts prefix and document into consecutive jobs of about blockRows rows, each through all layers:
/// the prefill that every method but the hierarchical ones starts with.
class BlockPlan
{
public:
    /// The last job has at least `minimumLastRows` rows (as far as the document has them). With
    /// `parts`, which together are the document, a job ends where a part ends, and this is true of
    /// each.
    BlockPlan(const DocumentPlan& plan, std::uint32_t minimumLastRows,
              std::span<const kernels::EntryRange> parts = {});

    /// Just these jobs, which together are prefix and document.
    BlockPlan(const DocumentPlan& plan, const std::vector<kernels::EntryRange>& jobs);

    /// The next block, or nothing when everything is read.
    std::optional<Job> next();

    bool finished() const { return m_next == m_ends.size(); }
    /// True after the last block was handed out.
    std::uint32_t rowsHandedOut() const { return m_next == 0 ? 0 : m_ends[m_next - 1]; }

    /// Cost of reading rows [0, end): linear work plus attention over what was read before, in row
    /// units.
    double costUpTo(std::uint32_t end) const;

private:
    const DocumentPlan& m_plan;
    std::vector<std::uint32_t> m_ends; // exclusive end of each block in rows
    std::size_t m_next = 0;
};

} // namespace engine
