#include "engine/methods/page_bounds.h"

#include "kernels/select.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace engine {

void PageBounds::addPage(std::span<const float> keys)
{
    const std::size_t at = m_smallest.size();
    m_smallest.resize(at + m_dim, std::numeric_limits<float>::infinity());
    m_largest.resize(at + m_dim, -std::numeric_limits<float>::infinity());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        float& smallest = m_smallest[at + i % m_dim];
        float& largest = m_largest[at + i % m_dim];
        smallest = std::min(smallest, keys[i]);
        largest = std::max(largest, keys[i]);
    }
}

float PageBounds::bound(std::size_t page, std::span<const float> query) const
{
    float sum = 0;
    for (std::size_t c = 0; c < m_dim; ++c)
        sum += std::max(query[c] * m_smallest[page * m_dim + c],
                        query[c] * m_largest[page * m_dim + c]);
    return sum;
}

std::vector<std::uint32_t> choosePages(const PageBounds& bounds, std::span<const float> queries,
                                       std::size_t headDim, std::size_t pages, std::size_t budget)
{
    assert(pages > 0 && bounds.pages() + 1 >= pages && budget > 0);
    std::vector<float> best(pages - 1, -std::numeric_limits<float>::infinity());
    for (std::size_t at = 0; at < queries.size(); at += headDim) {
        for (std::size_t page = 0; page + 1 < pages; ++page)
            best[page] = std::max(best[page], bounds.bound(page, queries.subspan(at, headDim)));
    }
    std::vector<std::uint32_t> chosen = kernels::cpu::selectTop(
        best, {}, std::min(budget - 1, best.size()), kernels::cpu::TieRule::LowerIndex);
    chosen.push_back(static_cast<std::uint32_t>(pages - 1));
    return chosen;
}

} // namespace engine
