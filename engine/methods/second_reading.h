#pragma once

#include "engine/methods/method.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace engine {

/// Some rows of prefix and document read through all layers as if they were the whole text, at the
/// positions 0, 1, ...; what was read before, to choose them, is dropped.
class SecondReading
{
public:
    /// `plan` must outlive the object.
    explicit SecondReading(const DocumentPlan& plan)
        : m_plan(plan)
    {}

    /// Empties the store. `rows`: of prefix and document, ascending, the whole prefix among them.
    void begin(std::vector<std::uint32_t> rows, KvStore& store);
    bool hasBegun() const { return m_hasBegun; }

    /// The next block of rows; nothing before begin() and after the last one.
    std::optional<Job> next() const;

    /// After each of these jobs. After the last one every row of the store has the number of the
    /// row that it is in prefix and document, so that pages and pictures find it.
    void onJobEnd(const Job& job, KvStore& store);

    std::uint32_t rowsRead() const { return m_read; }

private:
    const DocumentPlan& m_plan;
    std::vector<std::uint32_t> m_rows;
    std::uint32_t m_read = 0;
    bool m_hasBegun = false;
};

} // namespace engine
